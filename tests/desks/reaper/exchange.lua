-- What tests/desks/desk.py asks of every client, by a user at the window of the script: exchange.lua SCRIPT FOLDER PORT.
package.path = arg[0]:match("^.*/") .. "?.lua"
local standin = require("reaper")
standin.script, standin.folder = arg[1], arg[2]
standin.ext["unison/engine"] = "127.0.0.1:" .. arg[3]
standin.selection, standin.cursor = {1.0, 1.5}, 7.0

local BACKSPACE, ENTER, TAB, ESCAPE = 8, 13, 9, 27

-- One turn of the script's loop.
local function turn()
  standin.drawn = {}
  local due = standin.deferred
  standin.deferred = {}
  for _, code in ipairs(due) do code() end
  os.execute("sleep 0.02")
end

local function press(...)
  for _, key in ipairs({...}) do table.insert(standin.keys, key) end
  turn()
end

local function type_text(text)
  for _ = 1, 40 do table.insert(standin.keys, BACKSPACE) end
  for _, code in utf8.codes(text) do
    table.insert(standin.keys, code < 256 and code or (0x75 << 24) + code)
  end
  turn()
end

local function click(label)
  turn()
  for _, drawn in ipairs(standin.drawn) do
    if drawn[1] == label then gfx.mouse_x, gfx.mouse_y = drawn[2] + 1, drawn[3] + 1 end
  end
  gfx.mouse_cap = 1
  turn()
  gfx.mouse_cap = 0
  turn()
end

local function choose(old, index)
  standin.menu = index
  click(old)
end

local function status() return standin.drawn[#standin.drawn][1] end

local function wait(condition)
  for _ = 1, 1500 do
    if condition() then return end
    turn()
  end
  error("it did not happen; the window says: " .. status())
end

dofile(arg[1])
turn()
type_text("heavy rain")
press(TAB, TAB)
type_text("42")
click("Make")
wait(function() return #standin.items == 1 end)
local item = standin.items[1]
assert(#standin.tracks == 1 and standin.tracks[1].items[1] == item and item.selected)
assert(item.D_POSITION == 1.0 and item.active.name and item.B_LOOPSRC == 0)
print("desk: done " .. item.active.source.path .. " " .. item.D_LENGTH)

choose("text_to_audio", 5)
press(TAB)
type_text("Add wind.")
press(ENTER)
wait(function() return #item.takes == 2 end)
assert(item.active == item.takes[2] and #standin.undo == 2)
print("desk: done " .. item.active.source.path .. " " .. item.D_LENGTH)

-- A part of the item, with two variations.
item.active.D_STARTOFFS, item.D_LENGTH = 0.1, 0.2
press(TAB, TAB)
type_text("2")
press(ENTER)
wait(function() return #item.takes == 4 end)
assert(item.active == item.takes[3] and #standin.undo == 3)
print("part: done")

standin.selection = {0, 0}
choose("scene_edit", 1)
press(TAB, TAB)
type_text("-2")
press(TAB, TAB)
type_text("1")
press(ENTER)
wait(function() return status():match("^bad_args: ") end)
print("desk: fail bad_args")

press(TAB)
type_text("steps 1000")
press(TAB, TAB, TAB)
type_text("1")
press(ENTER)
wait(function() return status() == "sampling" end)
print("desk: progress")
click("Cancel")
wait(function() return status() == "cancelled" end)
print("desk: cancelled")

press(ESCAPE)
assert(#standin.deferred == 0 and #standin.items == 1 and #standin.undo == 3)
standin.exit()
assert(standin.ext["unison/more"] == "steps 1000")
