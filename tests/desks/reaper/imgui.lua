-- A stand-in for ReaImGui's imgui.lua: the calls that the script makes, with the meaning that ReaImGui's own help (Help,
-- ReaImGui documentation) gives to each, and its rules: what is drawn stands between Begin and End, with labels of its own.
local ImGui = {Cond_FirstUseEver = 1, Key_Enter = 2, Key_KeypadEnter = 3, Key_Escape = 4}
-- What the user does in the next frame: click (a label), choose (a choice), text (by label), enter (a label), escape.
local Standin = {user = {}, shown = {}, visible = true, open = true, dialogs = 0}
local context, within, labels, combo, last = nil, false, nil, false, nil

local function widget(given, label)
  assert(given == context and within, "a widget outside of Begin and End")
  if not label then return end
  assert(label ~= "" and not labels[label], "two widgets are called " .. label)
  labels[label] = true
  last = label
end

function ImGui.CreateContext(label)
  assert(not context and label ~= "")
  context = {}
  return context
end
function ImGui.SetNextWindowSize(given, _, _, condition) assert(given == context and not within and condition == 1) end
-- "retval, p_open = Begin(ctx, name, p_open)": End is called if the first is true, which it is not of a collapsed window.
function ImGui.Begin(given, name, closable)
  assert(given == context and not within and name ~= "" and closable)
  within, labels, Standin.shown = Standin.visible, {}, {}
  return Standin.visible, Standin.open
end
function ImGui.End(given)
  widget(given)
  assert(not combo)
  within, Standin.user = false, {}
end
-- "Focus keyboard on the next widget"
function ImGui.SetKeyboardFocusHere(given) widget(given) end
function ImGui.SameLine(given) widget(given) end
function ImGui.Button(given, label)
  widget(given, label)
  return Standin.user.click == label
end
function ImGui.ProgressBar(given, fraction)
  widget(given)
  assert(fraction >= 0 and fraction <= 1)
end
function ImGui.TextWrapped(given, text)
  widget(given)
  Standin.status = text
end
-- It returns true while its list is open; then EndCombo is called.
function ImGui.BeginCombo(given, label, preview)
  widget(given, label)
  Standin.shown[label] = preview
  combo = Standin.user.choose ~= nil and Standin.user.choose[1] == label
  return combo
end
function ImGui.Selectable(given, label, selected)
  widget(given, label)
  assert(combo and type(selected) == "boolean")
  return Standin.user.choose[2] == label
end
function ImGui.EndCombo(given)
  widget(given)
  assert(combo)
  combo = false
end
-- "retval, buf": true when the text was changed.
function ImGui.InputText(given, label, text)
  widget(given, label)
  local typed = (Standin.user.text or {})[label]
  Standin.shown[label] = typed or text
  return typed ~= nil, typed or text
end
-- "Was the last item just made inactive (item was previously active)": enter does that to a field of one line.
function ImGui.IsItemDeactivated(given)
  widget(given)
  return Standin.user.enter == last
end
function ImGui.IsAnyItemActive(given)
  widget(given)
  return false
end
function ImGui.IsWindowFocused(given)
  widget(given)
  return true
end
function ImGui.IsKeyPressed(given, key)
  widget(given)
  local down = Standin.user.escape and ImGui.Key_Escape or Standin.user.enter and ImGui.Key_Enter
  return key == down
end

-- The module of ReaImGui is a function of the version that a script was written for.
return function(version)
  if version == "stand-in" then return Standin, function() return within end end
  assert(version == "0.9")
  return ImGui
end
