-- What Unison.lua does with the project: reads the item that is to be edited, and puts sounds into it.
local Project = {}

local RATE = 48000
local BLOCK = 4096

-- Where a sound goes: the time selection if there is one, else the edit cursor.
function Project.place()
  local start, finish = reaper.GetSet_LoopTimeRange(false, false, 0, 0, false)
  if finish > start then return start, finish - start end
  return reaper.GetCursorPosition(), nil
end

-- Runs `change` as one step of undo.
local function undoable(name, change)
  reaper.Undo_BeginBlock2(0)
  reaper.PreventUIRefresh(1)
  local ok, result = pcall(change)
  reaper.PreventUIRefresh(-1)
  reaper.UpdateArrange()
  reaper.Undo_EndBlock2(0, name, -1)
  if not ok then error(result, 0) end
  return result
end

local function add_take(item, sound)
  local source = reaper.PCM_Source_CreateFromFile(sound.path)
  if not source then error("REAPER cannot read " .. sound.path, 0) end
  local take = reaper.AddTakeToMediaItem(item)
  reaper.SetMediaItemTake_Source(take, source)
  reaper.GetSetMediaItemTakeInfo_String(take, "P_NAME", sound.asset, true)
  return take
end

local function selected_track()
  local track = reaper.GetSelectedTrack(0, 0)
  if track then return track end
  reaper.InsertTrackAtIndex(reaper.CountTracks(0), true)
  return reaper.GetTrack(0, reaper.CountTracks(0) - 1)
end

-- A new item on the selected track, with a take for each sound.
function Project.insert(sounds, position)
  return undoable("Unison: insert " .. sounds[1].asset, function()
    local item = reaper.AddMediaItemToTrack(selected_track())
    local length = 0
    local first
    for _, sound in ipairs(sounds) do
      local take = add_take(item, sound)
      first = first or take
      length = math.max(length, sound.seconds)
    end
    reaper.SetMediaItemInfo_Value(item, "D_POSITION", position)
    reaper.SetMediaItemInfo_Value(item, "D_LENGTH", length)
    reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 0)
    reaper.SetActiveTake(first)
    reaper.SelectAllMediaItems(0, false)
    reaper.SetMediaItemSelected(item, true)
    reaper.Main_OnCommand(40047, 0)  -- Peaks: Build any missing peaks
    return item
  end)
end

-- The sounds as further takes of an item; the first of them is heard, what was there stays.
function Project.add_takes(item, sounds)
  undoable("Unison: edit into " .. sounds[1].asset, function()
    local first
    for _, sound in ipairs(sounds) do first = first or add_take(item, sound) end
    for index = 2, #sounds do add_take(item, sounds[index]) end
    reaper.SetActiveTake(first)
    reaper.Main_OnCommand(40047, 0)
  end)
end

local function write_wav(path, channels, blocks)
  local data = table.concat(blocks)
  local file = assert(io.open(path, "wb"))
  file:write("RIFF", ("<I4"):pack(36 + #data), "WAVEfmt ",
    ("<I4I2I2I4I4I2I2"):pack(16, 3, channels, RATE, RATE * channels * 4, channels * 4, 32), "data", ("<I4"):pack(#data), data)
  file:close()
end

-- What the take of an item sounds like from its start to its end, as a WAV of 32 bit floats.
local function write_part(take, length, channels, path)
  local accessor = reaper.CreateTakeAudioAccessor(take)
  local buffer = reaper.new_array(BLOCK * channels)
  local blocks = {}
  local frames = math.floor(length * RATE + 0.5)
  for at = 0, frames - 1, BLOCK do
    local count = math.min(BLOCK, frames - at)
    buffer.clear()
    reaper.GetAudioAccessorSamples(accessor, RATE, channels, at / RATE, count, buffer)
    local values = buffer.table(1, count * channels)
    local packed = {}
    for index, value in ipairs(values) do packed[index] = ("<f"):pack(value) end
    blocks[#blocks + 1] = table.concat(packed)
  end
  reaper.DestroyAudioAccessor(accessor)
  write_wav(path, channels, blocks)
end

-- The selected item and a file of what it sounds like. An item that shows its whole file is given as that file, so that
-- the engine knows its own takes. An error tells what is missing.
function Project.source(folder)
  local item = reaper.GetSelectedMediaItem(0, 0)
  local take = item and reaper.GetActiveTake(item)
  if not take or reaper.TakeIsMIDI(take) then error("select an audio item first.", 0) end
  local source = reaper.GetMediaItemTake_Source(take)
  local path = reaper.GetMediaSourceFileName(source)
  local length = reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local whole = reaper.GetMediaSourceLength(source)
  local untouched = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS") == 0
    and reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE") == 1
    and reaper.GetMediaItemTakeInfo_Value(take, "D_PITCH") == 0
    and math.abs(whole - length) < 0.5 / RATE
    and reaper.TakeFX_GetCount(take) == 0
  if not untouched or path == "" then
    path = ("%s/item-%d-%d.wav"):format(folder, os.time(), math.random(0, 999999))
    write_part(take, length, math.min(reaper.GetMediaSourceNumChannels(source), 2), path)
  end
  return item, path
end

return Project
