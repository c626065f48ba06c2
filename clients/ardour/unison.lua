ardour {
	["type"] = "EditorAction",
	name = "Unison: make a sound",
	license = "Apache-2.0",
	author = "Unison",
	description = [[
Asks the Unison engine (unison serve) for a sound and puts it at the playhead,
on the selected audio track or on a new one. Put unison_client.lua and
unison_handoff.py beside this file, in the scripts folder of your
configuration. Needs Python 3.]]
}

function factory () return function ()
	local folder = ARDOUR.user_config_directory (-1) .. "/scripts/"

	local function tell (text)
		LuaDialog.Message ("Unison", text, LuaDialog.MessageType.Warning, LuaDialog.ButtonType.Close):run ()
	end

	local file = io.open (folder .. "unison_client.lua")
	if not file then return tell ("unison_client.lua is missing; it belongs into " .. folder) end
	local Client = load (file:read ("a"), "unison_client.lua") ()
	file:close ()

	-- Where the engine and Python are, as they were given last.
	local kept = { engine = "127.0.0.1:7770", python = "/usr/bin/python3" }
	local settings = io.open (folder .. "unison.settings")
	if settings then
		for name, value in settings:read ("a"):gmatch ("(%w+)=([^\n]+)") do kept[name] = value end
		settings:close ()
	end

	local TASKS = {
		["Sound"] = { task = "text_to_audio", second = "seconds" },
		["Speech"] = { task = "text_to_speech", second = "voice" },
		["Timeline"] = { task = "timeline", second = "seconds" },
		["Scene edit of the selected region"] = { task = "scene_edit", edits = true },
		["Speech edit of the selected region"] = { task = "speech_edit", edits = true },
	}
	local names = {}
	for name in pairs (TASKS) do names[name] = name end

	local asked = LuaDialog.Dialog ("Unison", {
		{ type = "dropdown", key = "what", title = "What", values = names, default = "Sound" },
		{ type = "entry", key = "text", default = "heavy rain", title = "Text" },
		{ type = "number", key = "seconds", title = "Seconds", min = 0.1, max = 600, step = 0.5, digits = 2, default = 4 },
		{ type = "radio", key = "voice", title = "Voice", values = { female = "female", male = "male" }, default = "female" },
		{ type = "number", key = "seed", title = "Seed (-1 draws)", min = -1, max = 2147483647, step = 1, digits = 0, default = -1 },
		{ type = "entry", key = "engine", default = kept.engine, title = "Engine" },
		{ type = "entry", key = "python", default = kept.python, title = "Python 3" },
	}):run ()
	if not asked then return end
	local chosen = TASKS[asked["what"]]
	local host, port = asked["engine"]:match ("^(.+):(%d+)$")
	if not host then return tell ("The engine is " .. asked["engine"] .. "; give host:port.") end

	local position = Temporal.timepos_t (Session:transport_sample ())
	local arguments = { asked["text"] }
	if chosen.edits then
		-- A file is edited as a whole, so the edit goes where the start of the file would be.
		local region
		for r in Editor:get_selection ().regions:regionlist ():iter () do region = r:to_audioregion () end
		if not region or region:isnil () then return tell ("Select an audio region first.") end
		local source = region:source (0):to_filesource ()
		arguments = { source:path (), asked["text"] }
		position = Temporal.timepos_t (math.max (0, region:position ():samples () - region:start ():samples ()))
	elseif chosen.second == "seconds" then
		arguments[2] = asked["seconds"] + 0.0
	else
		arguments[2] = asked["voice"]
	end

	settings = io.open (folder .. "unison.settings", "w")
	if settings then
		settings:write ("engine=", asked["engine"], "\npython=", asked["python"], "\n")
		settings:close ()
	end

	local pairs_ = {}
	if asked["seed"] >= 0 then pairs_.seed = math.floor (asked["seed"]) end

	local client = Client.new {
		host = host, port = tonumber (port), folder = os.getenv ("TMPDIR") or "/tmp",
		start = function (note) os.forkexec (asked["python"], folder .. "unison_handoff.py", note) end,
	}
	local job = client:run (chosen.task, arguments, pairs_)
	local window = LuaDialog.ProgressWindow ("Unison at work", true)
	while not job:ended () do
		if window:canceled () then job:cancel () end
		window:progress (job.fraction, job.stage == "" and "waiting for the engine" or job.stage)
		ARDOUR.LuaAPI.usleep (50000)
		client:poll ()
	end
	window:done ()
	if job.state == "fail" then return tell (job.code .. ": " .. job.text) end
	if job.state == "cancelled" then return end

	local files = C.StringVector ()
	files:push_back (job.path)
	local track = ARDOUR.Track ()
	for selected in Editor:get_selection ().tracks:routelist ():iter () do
		local audio = selected:to_track ():to_audio_track ()
		if not audio:isnil () then track = selected:to_track () end
	end
	local mode = track:isnil () and Editing.ImportAsTrack or Editing.ImportToTrack
	Editor:do_import (files, Editing.ImportDistinctFiles, mode, ARDOUR.SrcQuality.SrcBest,
		ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
		position, ARDOUR.PluginInfo (), track, false)
end end
