-- What tests/desks/desk.py asks of every client, in the window that ReaImGui draws: exchange_imgui.lua SCRIPT FOLDER PORT.
local here = arg[0]:match("^.*/")
package.path = here .. "?.lua"
local standin = require("reaper")
standin.script, standin.folder = arg[1], arg[2]
standin.ext["unison/engine"] = "127.0.0.1:" .. arg[3]
standin.selection, standin.cursor = {0, 0}, 7.0
-- dofile reads a file anew each time, so both ends share what is read once.
local module = dofile(here .. "imgui.lua")
local imgui, within = module("stand-in")
local read = dofile
function dofile(path) return path == here .. "imgui.lua" and module or read(path) end
function reaper.ImGui_GetBuiltinPath() return here:sub(1, -2) end
function reaper.GetUserInputs(_, _, _, values)
  assert(not within(), "a dialog between Begin and End")
  return true, values
end
function gfx.init() error("gfx is not for those who have ReaImGui") end

-- One turn of the script's loop, in which the user does something.
local function turn(user)
  imgui.user = user or {}
  local due = standin.deferred
  standin.deferred = {}
  for _, code in ipairs(due) do code() end
  os.execute("sleep 0.02")
end

local function wait(condition)
  for _ = 1, 1500 do
    if condition() then return end
    turn()
  end
  error("it did not happen; the window says: " .. imgui.status)
end

dofile(arg[1])
turn({text = {Text = "heavy rain", Seconds = "0.5", ["Seed (empty draws)"] = "42"}})
turn({click = "Settings"})
turn({click = "Make"})
imgui.visible = false  -- A collapsed window works on.
wait(function() return #standin.items == 1 end)
imgui.visible = true
local item = standin.items[1]
assert(item.D_POSITION == 7.0 and item.selected and #standin.undo == 1)
print("desk: done " .. item.active.source.path .. " " .. item.D_LENGTH)

turn({choose = {"Task", "scene_edit"}})
turn()
assert(imgui.shown.Task == "scene_edit" and not imgui.shown.Seconds)
turn({text = {Text = "Add wind."}})
turn({enter = "Text"})
wait(function() return #item.takes == 2 end)
print("desk: done " .. item.active.source.path .. " " .. item.D_LENGTH)

turn({choose = {"Task", "text_to_audio"}})
turn({text = {Seconds = "-2"}})
turn({enter = "Seconds"})
wait(function() return imgui.status:match("^bad_args: ") end)
print("desk: fail bad_args")

turn({text = {Seconds = "1", More = "steps 1000"}})
turn({click = "Make"})
wait(function() return imgui.status == "sampling" end)
print("desk: progress")
turn({click = "Cancel"})
wait(function() return imgui.status == "cancelled" end)
print("desk: cancelled")

turn({escape = true})
assert(#standin.deferred == 0 and #standin.items == 1)
standin.exit()
