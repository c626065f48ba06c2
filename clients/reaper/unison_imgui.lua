-- The window of unison_window.lua, with the extension ReaImGui: text can be marked and pasted, and the window docked.
local Window = {}
Window.__index = Window

local ImGui = dofile(reaper.ImGui_GetBuiltinPath() .. "/imgui.lua")("0.9")

function Window.open(title)
  return setmetatable({focus = 1, title = title, context = ImGui.CreateContext(title)}, Window)
end

-- Draws a model as that of unison_window.lua and does what was asked for. False when the window was closed.
function Window:step(model)
  local context = self.context
  local act
  ImGui.SetNextWindowSize(context, 460, 380, ImGui.Cond_FirstUseEver)
  local visible, open = ImGui.Begin(context, self.title, true)
  if visible then
    for index, field in ipairs(model.fields) do
      if index == self.focus then
        ImGui.SetKeyboardFocusHere(context)
        self.focus = nil
      end
      if field.choices then
        self:choose(field, model.values)
      elseif self:edit(field, model.values) then
        act = model.enter
      end
    end
    for index, button in ipairs(model.buttons) do
      if index > 1 then ImGui.SameLine(context) end
      if ImGui.Button(context, button.label) then act = button.act end
    end
    ImGui.ProgressBar(context, model.fraction)
    ImGui.TextWrapped(context, model.status)
    -- In a field, escape gives back what stood there.
    if ImGui.IsWindowFocused(context) and not ImGui.IsAnyItemActive(context)
        and ImGui.IsKeyPressed(context, ImGui.Key_Escape) then
      open = false
    end
    ImGui.End(context)
  end
  -- A dialog of REAPER may not open between Begin and End.
  if act then act() end
  return open
end

function Window:choose(field, values)
  if ImGui.BeginCombo(self.context, field.label, values[field.name]) then
    for _, choice in ipairs(field.choices) do
      if ImGui.Selectable(self.context, choice, choice == values[field.name]) then values[field.name] = choice end
    end
    ImGui.EndCombo(self.context)
  end
end

-- True when enter was pressed in the field.
function Window:edit(field, values)
  local changed, text = ImGui.InputText(self.context, field.label, values[field.name])
  if changed then values[field.name] = text end
  return ImGui.IsItemDeactivated(self.context)
    and (ImGui.IsKeyPressed(self.context, ImGui.Key_Enter) or ImGui.IsKeyPressed(self.context, ImGui.Key_KeypadEnter))
end

return Window
