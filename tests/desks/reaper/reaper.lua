-- A stand-in for REAPER: the calls that the script makes, with the meaning that REAPER's own ReaScript help (Help,
-- ReaScript documentation; its functions by name, and its section on gfx) gives to each.
local Standin = {deferred = {}, keys = {}, drawn = {}, ext = {}, undo = {}, tracks = {}, items = {}, menu = 0, depth = 0}
reaper, gfx = {}, {mouse_cap = 0, mouse_x = 0, mouse_y = 0, x = 0, y = 0}

-- "is_new_value, filename, sectionID, cmdID, mode, resolution, val = get_action_context()"
function reaper.get_action_context() return true, Standin.script, 0, 0, 0, 0, 0 end
function reaper.GetOS() return "Other" end
function reaper.GetResourcePath() return Standin.folder end
function reaper.RecursiveCreateDirectory(path, _) return os.execute("mkdir -p '" .. path .. "'") and 1 or 0 end
function reaper.GetExtState(section, key) return Standin.ext[section .. "/" .. key] or "" end
function reaper.SetExtState(section, key, value, _) Standin.ext[section .. "/" .. key] = value end
-- "Executes command line. timeoutmsec: -1=no wait/terminate"
function reaper.ExecProcess(command, timeout)
  assert(timeout == -1)
  os.execute(command .. " &")
  return "0\n"
end
-- "Adds code to be called back by REAPER", once; "atexit: adds code to be executed when the script finishes"
function reaper.defer(code) table.insert(Standin.deferred, code) end
function reaper.atexit(code) Standin.exit = code end

-- Without isSet it returns start and end of the time selection; equal if there is none.
function reaper.GetSet_LoopTimeRange(set, loop) assert(not set and not loop) return table.unpack(Standin.selection) end
function reaper.GetCursorPosition() return Standin.cursor end

function reaper.CountTracks(_) return #Standin.tracks end
function reaper.GetTrack(_, index) return Standin.tracks[index + 1] end
function reaper.InsertTrackAtIndex(index, _) table.insert(Standin.tracks, index + 1, {items = {}}) end
function reaper.GetSelectedTrack(_, index) return index == 0 and Standin.track or nil end

local function changed() assert(Standin.depth == 1, "a change outside of an undo block") end

function reaper.AddMediaItemToTrack(track)
  changed()
  local item = {D_POSITION = 0, D_LENGTH = 0, B_LOOPSRC = 1, takes = {}}
  table.insert(track.items, item)
  table.insert(Standin.items, item)
  return item
end
function reaper.AddTakeToMediaItem(item)
  changed()
  local take = {item = item, D_STARTOFFS = 0, D_PLAYRATE = 1, D_PITCH = 0}
  table.insert(item.takes, take)
  return take
end
-- It returns nil for what cannot be read.
function reaper.PCM_Source_CreateFromFile(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read("a")
  file:close()
  local at = 13
  local source = {path = path}
  while at < #bytes do
    local name, size = ("<c4I4"):unpack(bytes, at)
    if name == "fmt " then source.channels, source.rate, source.bits = ("<xxI2I4xxxxxxI2"):unpack(bytes, at + 8) end
    if name == "data" then source.data, source.frames = at + 8, size // (source.bits // 8 * source.channels) end
    at = at + 8 + size + size % 2
  end
  source.bytes = bytes
  return source
end
function reaper.SetMediaItemTake_Source(take, source) changed() take.source = source end
function reaper.GetMediaItemTake_Source(take) return take.source end
function reaper.GetMediaSourceFileName(source) return source.path end
function reaper.GetMediaSourceNumChannels(source) return source.channels end
-- "retval, lengthIsQN = GetMediaSourceLength(source)"
function reaper.GetMediaSourceLength(source) return source.frames / source.rate, false end
function reaper.GetSetMediaItemTakeInfo_String(take, name, value, set)
  changed()
  assert(name == "P_NAME" and set)
  take.name = value
end
function reaper.SetMediaItemInfo_Value(item, name, value) changed() assert(item[name]) item[name] = value end
function reaper.GetMediaItemInfo_Value(item, name) return assert(item[name]) end
function reaper.GetMediaItemTakeInfo_Value(take, name) return assert(take[name]) end
function reaper.SetActiveTake(take) changed() take.item.active = take end
function reaper.GetActiveTake(item) return item.active end
function reaper.TakeIsMIDI(_) return false end
function reaper.TakeFX_GetCount(_) return 0 end
function reaper.SelectAllMediaItems(_, selected) for _, item in ipairs(Standin.items) do item.selected = selected end end
function reaper.SetMediaItemSelected(item, selected) item.selected = selected end
function reaper.GetSelectedMediaItem(_, index)
  for _, item in ipairs(Standin.items) do if item.selected and index == 0 then return item end end
end
-- 40047 is "Peaks: Build any missing peaks".
function reaper.Main_OnCommand(command, _) assert(command == 40047) end
function reaper.PreventUIRefresh(_) end
function reaper.UpdateArrange() end
function reaper.Undo_BeginBlock2(_) Standin.depth = Standin.depth + 1 end
function reaper.Undo_EndBlock2(_, name, flags)
  assert(flags == -1)
  Standin.depth = Standin.depth - 1
  table.insert(Standin.undo, name)
end

-- Samples of a take from a time after the item's start, interleaved, into a buffer made by new_array.
function reaper.CreateTakeAudioAccessor(take) return {take = take} end
function reaper.DestroyAudioAccessor(_) end
function reaper.GetAudioAccessorSamples(accessor, rate, channels, start, count, buffer)
  local take, source = accessor.take, accessor.take.source
  assert(rate == source.rate and source.bits == 24 and source.channels == 1 and channels == 1)
  local first = math.floor((start + take.D_STARTOFFS) * rate + 0.5)
  for index = 0, count - 1 do
    buffer[index + 1] = ("<i3"):unpack(source.bytes, source.data + 3 * (first + index)) / 8388608
  end
  return 1
end
function reaper.new_array(size)
  local array = {}
  function array.clear() for index = 1, size do array[index] = 0 end end
  function array.table(offset, count) return {table.unpack(array, offset, offset + count - 1)} end
  return array
end

function gfx.init() return 1 end
function gfx.setfont() end
function gfx.set() end
function gfx.rect() end
function gfx.update() end
function gfx.drawstr(text) table.insert(Standin.drawn, {text, gfx.x, gfx.y}) end
-- "Returns 0 if no key was pressed, -1 if the window was closed"
function gfx.getchar() return table.remove(Standin.keys, 1) or 0 end
-- "Returns 0 if the user selected nothing, 1 for the first item"
function gfx.showmenu(_) return Standin.menu end

return Standin
