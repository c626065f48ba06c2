-- A client of the Unison engine for programs whose Lua has no sockets. unison_handoff.py does the talking.
--
--   local client = Client.new{folder = "/tmp", start = function(note) ... end}
--   local job = client:run("text_to_audio", {"heavy rain", 4.0}, {seed = 7}, {
--     progress = function(job) end, done = function(job) end, fail = function(job) end, cancelled = function(job) end})
--   client:poll()  -- from time to time; it calls the functions above
--
-- `start` runs unison_handoff.py with a note and does not wait for it.
local Client = {}
Client.__index = Client
local Job = {}
Job.__index = Job

local DONE = {"path", "seconds", "rate", "channels", "asset", "seed", "lufs"}
local ESCAPED = {["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = ""}
local UNESCAPED = {["\\"] = "\\", n = "\n", t = "\t"}
-- The hand-off program tells something every five seconds.
local SILENCE_SECONDS = 20

local function line(value)
  if math.type(value) == "integer" then return "i " .. value end
  if type(value) == "number" then return ("f %.9g"):format(value) end
  if type(value) == "boolean" then return value and "i 1" or "i 0" end
  return "s " .. tostring(value):gsub("[\\\n\t\r]", ESCAPED)
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

function Client.new(options)
  return setmetatable({
    host = options.host or "127.0.0.1",
    port = options.port or 7770,
    folder = options.folder,
    start = options.start,
    jobs = {},
    count = 0,
  }, Client)
end

-- Arguments in the order of the task, and the others by name. A number is sent as it is: 4 as i, 4.0 as f.
function Client:run(task, arguments, pairs_, on)
  self.count = self.count + 1
  local note = ("%s/unison-%d-%d-%d"):format(self.folder, os.time(), self.count, math.random(0, 999999))
  local lines = {self.host .. ":" .. self.port, "/unison/run/" .. task}
  for _, value in ipairs(arguments) do lines[#lines + 1] = line(value) end
  for name, value in pairs(pairs_ or {}) do
    lines[#lines + 1] = line(name)
    lines[#lines + 1] = line(value)
  end
  local file = assert(io.open(note, "wb"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
  local job = setmetatable(
    {note = note, state = "sent", fraction = 0.0, stage = "", on = on or {}, read = 0, since = os.time()}, Job)
  self.jobs[#self.jobs + 1] = job
  self.start(note)
  return job
end

-- Reads what was told since the last time.
function Client:poll()
  for _, job in ipairs({table.unpack(self.jobs)}) do job:poll() end
  local left = {}
  for _, job in ipairs(self.jobs) do
    if job:ended() then job:forget() else left[#left + 1] = job end
  end
  self.jobs = left
end

function Job:ended()
  return self.state == "done" or self.state == "fail" or self.state == "cancelled"
end

-- Ends the job, queued or running.
function Job:cancel()
  if not self:ended() then assert(io.open(self.note .. ".cancel", "wb")):close() end
end

function Job:poll()
  local file = io.open(self.note .. ".told", "rb")
  local text = ""
  if file then
    file:seek("set", self.read)
    text = file:read("a")
    file:close()
  end
  if text ~= "" then self.since = os.time() end
  if os.time() - self.since > SILENCE_SECONDS then
    local how = file and {"stopped", "the hand-off program ended before the job did; try again"}
      or {"not_started", "the hand-off program did not start; is the path of Python 3 right?"}
    return self:hear({"fail", how[1], how[2]})
  end
  for told in text:gmatch("([^\n]*)\n") do  -- A line that is not complete is read the next time.
    self.read = self.read + #told + 1
    local values = {}
    for value in (told .. "\t"):gmatch("([^\t]*)\t") do values[#values + 1] = value:gsub("\\(.)", UNESCAPED) end
    self:hear(values)
  end
end

function Job:hear(values)
  local kind = values[1]
  if kind == "alive" then return end
  if kind == "progress" then
    self.fraction, self.stage = tonumber(values[2]), values[3]
  elseif kind == "done" then
    for index, name in ipairs(DONE) do
      self[name] = name ~= "path" and name ~= "asset" and tonumber(values[index + 1]) or values[index + 1]
    end
    self.fraction = 1.0
  elseif kind == "fail" then
    self.code, self.text = values[2], values[3]
  end
  self.state = ({ack = "queued", progress = "running"})[kind] or kind
  if self.on[kind] then self.on[kind](self) end
end

function Job:forget()
  for _, ending in ipairs({"", ".told", ".cancel"}) do
    if exists(self.note .. ending) then os.remove(self.note .. ending) end
  end
end

return Client
