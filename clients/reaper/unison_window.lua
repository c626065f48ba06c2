-- A small window of fields and buttons, drawn with gfx.
local Window = {}
Window.__index = Window

local ROW, LABEL, WIDTH = 28, 150, 460
local BACKSPACE, ENTER, TAB, ESCAPE = 8, 13, 9, 27
-- From gfx.getchar: a character outside of Latin-1 has "u" in its high byte.
local UNICODE = 0x75 << 24

function Window.open(title)
  gfx.init(title, WIDTH, 12 * ROW)
  gfx.setfont(1, "Arial", 15)
  return setmetatable({focus = 1, pressed = false}, Window)
end

local function character(code)
  if code >= UNICODE and code < UNICODE + 0x110000 then return utf8.char(code - UNICODE) end
  if code >= 32 and code < 127 or code >= 160 and code < 256 then return utf8.char(code) end
  return nil
end

-- Handles keys and draws. `model` has fields {name, label, choices?}, values by name, buttons {label, act}, status and
-- fraction; `model.enter` is what the enter key does. False when the window was closed.
function Window:step(model)
  local code = gfx.getchar()
  while code > 0 do
    if code == ESCAPE then return false end
    self:key(code, model)
    code = gfx.getchar()
  end
  if code < 0 then return false end
  local down = gfx.mouse_cap & 1 == 1
  self.clicked = down and not self.pressed
  self.pressed = down
  self:draw(model)
  gfx.update()
  return true
end

function Window:key(code, model)
  local field = model.fields[self.focus] or model.fields[1]
  if code == TAB then
    self.focus = self.focus % #model.fields + 1
  elseif code == ENTER then
    model.enter()
  elseif not field.choices then
    local value = model.values[field.name]
    if code == BACKSPACE then
      model.values[field.name] = value:sub(1, (utf8.offset(value, -1) or 1) - 1)
    else
      model.values[field.name] = value .. (character(code) or "")
    end
  end
end

function Window:inside(x, y, w)
  return self.clicked and gfx.mouse_x >= x and gfx.mouse_x < x + w and gfx.mouse_y >= y and gfx.mouse_y < y + ROW - 4
end

function Window:draw(model)
  for index, field in ipairs(model.fields) do
    local y = 8 + (index - 1) * ROW
    self:text(8, y, field.label)
    self:box(LABEL, y, WIDTH - LABEL - 8, index == self.focus)
    self:text(LABEL + 6, y, model.values[field.name])
    if self:inside(LABEL, y, WIDTH - LABEL - 8) then
      self.focus = index
      if field.choices then self:choose(field, model.values) end
    end
  end
  local y = 8 + #model.fields * ROW
  local width = (WIDTH - 8) / #model.buttons
  for index, button in ipairs(model.buttons) do
    local x = 8 + (index - 1) * width
    self:box(x, y, width - 8, false)
    self:text(x + 8, y, button.label)
    if self:inside(x, y, width - 8) then button.act() end
  end
  y = y + ROW
  gfx.set(0.3, 0.6, 0.4)
  gfx.rect(8, y, (WIDTH - 16) * model.fraction, 6, 1)
  self:text(8, y + 8, model.status)
end

function Window:choose(field, values)
  gfx.x, gfx.y = gfx.mouse_x, gfx.mouse_y
  local choice = gfx.showmenu(table.concat(field.choices, "|"))
  if choice > 0 then values[field.name] = field.choices[choice] end
end

function Window:box(x, y, w, lit)
  gfx.set(0.5, 0.5, lit and 0.9 or 0.5)
  gfx.rect(x, y, w, ROW - 4, 0)
end

function Window:text(x, y, text)
  gfx.set(0.9, 0.9, 0.9)
  gfx.x, gfx.y = x, y + 4
  gfx.drawstr(text)
end

return Window
