-- @description Unison: make and edit sounds from words
-- @author Unison
-- @version 0.1.0
-- @provides
--   [nomain] unison_project.lua
--   [nomain] unison_window.lua
--   [nomain] unison_imgui.lua
--   [nomain] ../handoff/unison_client.lua > unison_client.lua
--   [nomain] ../handoff/unison_handoff.py > unison_handoff.py
-- @about
--   Asks the Unison engine (unison serve) for sounds, and for edits of the selected item. Needs Python 3.

local here = ({reaper.get_action_context()})[2]:match("^(.*[/\\])")

local function found(name)
  for _, folder in ipairs({here, here .. "../handoff/"}) do
    local file = io.open(folder .. name)
    if file then
      file:close()
      return folder .. name
    end
  end
  error(name .. " is missing; it belongs into " .. here)
end

local Client = dofile(found("unison_client.lua"))
local Project = dofile(found("unison_project.lua"))
-- ReaImGui, an extension, draws the window where it is installed; gfx is a part of REAPER.
local Window = dofile(found(reaper.ImGui_GetBuiltinPath and "unison_imgui.lua" or "unison_window.lua"))
local HELPER = found("unison_handoff.py")
local WINDOWS = reaper.GetOS():match("^Win") ~= nil
local SECTION = "unison"

-- What each task is given, in the order of its arguments; `item` is the selected item. See docs/osc-reference.md.
local TASKS = {
  {name = "text_to_audio", fields = {"text", "seconds"}},
  {name = "text_to_speech", fields = {"text", "voice"}},
  {name = "speech_and_sound", fields = {"text", "voice", "background", "seconds"}},
  {name = "timeline", fields = {"text", "seconds"}},
  {name = "scene_edit", fields = {"item", "text"}, edits = true},
  {name = "speech_edit", fields = {"item", "text"}, edits = true},
  {name = "voice_clone", fields = {"text", "item"}, pairs = {"transcript"}},
}
local names, by_name = {}, {}
for index, task in ipairs(TASKS) do
  names[index] = task.name
  by_name[task.name] = task
end

local LABELS = {
  text = "Text", voice = "Voice", background = "Background", seconds = "Seconds", transcript = "Said in it",
  seed = "Seed (empty draws)", variations = "Variations", more = "More",
}
local DEFAULTS = {
  task = "text_to_audio", text = "", voice = "female", background = "", seconds = "4", transcript = "", seed = "",
  variations = "1", more = "", python = WINDOWS and "py" or "/usr/bin/env python3", engine = "127.0.0.1:7770",
}

local values = {}
for name, default in pairs(DEFAULTS) do
  local kept = reaper.GetExtState(SECTION, name)
  values[name] = kept ~= "" and kept or default
end

local folder = reaper.GetResourcePath() .. "/Data/Unison"
reaper.RecursiveCreateDirectory(folder, 0)
math.randomseed(os.time())
local client = Client.new{
  folder = folder,
  start = function(note)
    -- -1: do not wait for it.
    reaper.ExecProcess(('%s "%s" "%s"'):format(values.python, HELPER, note), -1)
  end,
}

local running = {}
local model = {values = values, status = "", fraction = 0}

local function number(name)
  local value = tonumber(values[name])
  if not value then error(("%s is %q; give a number."):format(LABELS[name], values[name]), 0) end
  return value
end

-- "steps 50 guidance 4" as pairs; what is a number goes as one.
local function more()
  local given = {}
  for name, value in values.more:gmatch("(%S+)%s+(%S+)") do given[name] = tonumber(value) or value end
  return given
end

local function finish(task, position, item)
  local sounds = {}
  for _, job in ipairs(running) do
    if job.state == "done" then sounds[#sounds + 1] = job end
  end
  running = {}
  if #sounds == 0 then return end
  if task.edits then Project.add_takes(item, sounds) else Project.insert(sounds, position) end
  model.status = ("%d done: %s"):format(#sounds, sounds[1].asset)
end

local function render()
  local task = by_name[values.task]
  local position, length = Project.place()
  if length then values.seconds = ("%.6g"):format(length) end
  local item
  local arguments = {}
  for index, field in ipairs(task.fields) do
    if field == "item" then item, arguments[index] = Project.source(folder)
    elseif field == "seconds" then arguments[index] = number("seconds") + 0.0
    else arguments[index] = values[field] end
  end
  local named = more()
  for _, name in ipairs(task.pairs or {}) do named[name] = values[name] end
  client.host, client.port = values.engine:match("^(.*):(%d+)$")
  local seed = values.seed ~= "" and math.floor(number("seed"))
  local count = math.floor(number("variations"))
  if count < 1 or count > 16 then error(("Variations is %d; 1 to 16 are possible."):format(count), 0) end
  model.status, model.fraction = "waiting for the engine", 0
  local left = count
  local function ended()
    left = left - 1
    if left == 0 then finish(task, position, item) end
  end
  for index = 1, count do
    if seed then named.seed = (seed + index - 1) % 2147483648 end
    running[index] = client:run(task.name, arguments, named, {
      progress = function()
        local sum = 0
        for _, job in ipairs(running) do sum = sum + job.fraction end
        model.fraction = sum / count
        model.status = running[index].stage
      end,
      done = ended,
      fail = function(job)
        model.status = job.code .. ": " .. job.text
        ended()
      end,
      cancelled = function()
        model.status = "cancelled"
        ended()
      end,
    })
  end
end

-- What the user can mend is told in the window.
local function guarded(act)
  return function()
    local ok, told = pcall(act)
    if not ok then model.status = tostring(told) end
  end
end

local function start()
  if #running == 0 then render() end
end

local function cancel()
  for _, job in ipairs(running) do job:cancel() end
end

local function settings()
  local ok, told = reaper.GetUserInputs("Unison", 2, "Engine (host:port),Python 3,extrawidth=200",
    values.engine .. "," .. values.python)
  if not ok then return end
  local engine, python = told:match("^([^,]*),(.*)$")
  if not engine:match("^.+:%d+$") then error(("the engine is %q; give host:port."):format(engine), 0) end
  values.engine, values.python = engine, python
end

model.enter = guarded(start)
model.buttons = {
  {label = "Make", act = guarded(start)}, {label = "Cancel", act = guarded(cancel)},
  {label = "Settings", act = guarded(settings)},
}

local function fields()
  local shown = {{name = "task", label = "Task", choices = names}}
  local task = by_name[values.task]
  local function show(name)
    if name == "item" then return end
    shown[#shown + 1] = {name = name, label = LABELS[name], choices = name == "voice" and {"female", "male"} or nil}
  end
  for _, name in ipairs(task.fields) do show(name) end
  for _, name in ipairs(task.pairs or {}) do show(name) end
  for _, name in ipairs({"seed", "variations", "more"}) do show(name) end
  return shown
end

local window = Window.open("Unison")
window.focus = 2

local function loop()
  local ok, told = pcall(client.poll, client)
  if not ok then model.status = tostring(told) end
  model.fields = fields()
  if window:step(model) then reaper.defer(loop) end
end

reaper.atexit(function()
  cancel()
  for name in pairs(DEFAULTS) do reaper.SetExtState(SECTION, name, values[name], true) end
end)
loop()
