ardour {
	["type"] = "EditorAction",
	name = "Unison: make a sound",
	license = "Apache-2.0",
	author = "Unison",
	description = [[
Asks the Unison engine (unison serve) for a sound and puts it at the playhead,
on the selected audio track or on a new one; variations on a track each. Put unison_client.lua and
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

	local TASKS = {
		["Sound"] = { task = "text_to_audio", second = "seconds" },
		["Speech"] = { task = "text_to_speech", second = "voice" },
		["Timeline"] = { task = "timeline", second = "seconds" },
		["Speech in the voice of the selected region"] = { task = "voice_clone", clones = true },
		["Scene edit of the selected region"] = { task = "scene_edit", edits = true },
		["Speech edit of the selected region"] = { task = "speech_edit", edits = true },
	}
	local names = {}
	for name in pairs (TASKS) do names[name] = name end

	-- What was given last.
	local kept = {
		what = "Sound", text = "heavy rain", voice = "female", said = "", engine = "127.0.0.1:7770", python = "/usr/bin/python3",
	}
	local settings = io.open (folder .. "unison.settings")
	if settings then
		for name, value in settings:read ("a"):gmatch ("(%w+)=([^\n]+)") do kept[name] = value end
		settings:close ()
	end

	local asked = LuaDialog.Dialog ("Unison", {
		{ type = "dropdown", key = "what", title = "What", values = names, default = TASKS[kept.what] and kept.what or "Sound" },
		{ type = "entry", key = "text", default = kept.text, title = "Text" },
		{ type = "number", key = "seconds", title = "Seconds", min = 0.1, max = 600, step = 0.5, digits = 2, default = tonumber (kept.seconds) or 4 },
		{ type = "radio", key = "voice", title = "Voice", values = { female = "female", male = "male" }, default = kept.voice },
		{ type = "entry", key = "said", default = kept.said, title = "Said in the region" },
		{ type = "number", key = "seed", title = "Seed (-1 draws)", min = -1, max = 2147483647, step = 1, digits = 0, default = -1 },
		{ type = "number", key = "variations", title = "Variations", min = 1, max = 16, step = 1, digits = 0,
			default = tonumber (kept.variations) or 1 },
		{ type = "entry", key = "engine", default = kept.engine, title = "Engine" },
		{ type = "entry", key = "python", default = kept.python, title = "Python 3" },
	}):run ()
	if not asked then return end
	local chosen = TASKS[asked["what"]]
	local host, port = asked["engine"]:match ("^(.+):(%d+)$")
	if not host then return tell ("The engine is " .. asked["engine"] .. "; give host:port.") end

	local position = Temporal.timepos_t (Session:transport_sample ())
	local arguments = { asked["text"] }
	local named = {}
	if chosen.edits or chosen.clones then
		local region
		for r in Editor:get_selection ().regions:regionlist ():iter () do region = r:to_audioregion () end
		if not region or region:isnil () then return tell ("Select an audio region first.") end
		local path = region:source (0):to_filesource ():path ()
		if chosen.clones then
			arguments[2] = path
			named.transcript = asked["said"]
		else
			-- A file is edited as a whole, so the edit goes where the start of the file would be.
			arguments = { path, asked["text"] }
			position = Temporal.timepos_t (math.max (0, region:position ():samples () - region:start ():samples ()))
		end
	elseif chosen.second == "seconds" then
		arguments[2] = asked["seconds"] + 0.0
	else
		arguments[2] = asked["voice"]
	end

	settings = io.open (folder .. "unison.settings", "w")
	if settings then
		for _, name in ipairs ({ "what", "text", "seconds", "voice", "said", "variations", "engine", "python" }) do
			settings:write (name, "=", tostring (asked[name]), "\n")
		end
		settings:close ()
	end

	local client = Client.new {
		host = host, port = tonumber (port), folder = os.getenv ("TMPDIR") or "/tmp",
		start = function (note) os.forkexec (asked["python"], folder .. "unison_handoff.py", note) end,
	}
	local jobs = {}
	for index = 1, math.floor (asked["variations"]) do
		if asked["seed"] >= 0 then named.seed = (math.floor (asked["seed"]) + index - 1) % 2147483648 end
		jobs[index] = client:run (chosen.task, arguments, named)
	end
	local window = LuaDialog.ProgressWindow ("Unison at work", true)
	local left = #jobs
	while left > 0 do
		local fraction, stage = 0, ""
		left = 0
		for _, job in ipairs (jobs) do
			if window:canceled () then job:cancel () end
			if not job:ended () then left = left + 1 end
			fraction = fraction + job.fraction / #jobs
			if job.state == "running" then stage = job.stage end
		end
		window:progress (fraction, stage == "" and "waiting for the engine" or stage)
		ARDOUR.LuaAPI.usleep (50000)
		client:poll ()
	end
	window:done ()

	local files = C.StringVector ()
	for _, job in ipairs (jobs) do
		if job.state == "fail" then return tell (job.code .. ": " .. job.text) end
		if job.state == "done" then files:push_back (job.path) end
	end
	if files:empty () then return end
	local track = ARDOUR.Track ()
	for selected in Editor:get_selection ().tracks:routelist ():iter () do
		local audio = selected:to_track ():to_audio_track ()
		if not audio:isnil () then track = selected:to_track () end
	end
	-- Variations lie below each other, each on a track of its own.
	local own = track:isnil () or files:size () > 1
	local mode = own and Editing.ImportAsTrack or Editing.ImportToTrack
	Editor:do_import (files, Editing.ImportDistinctFiles, mode, ARDOUR.SrcQuality.SrcBest,
		ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
		position, ARDOUR.PluginInfo (), track, false)
end end
