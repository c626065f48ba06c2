extends Control
# Asks for the sound of the words in the field, tells how far it is, then shows and plays it.

const SECONDS = 3.0

var _job = null

@onready var _prompt = $Rows/Ask/Prompt
@onready var _make = $Rows/Ask/Make
@onready var _cancel = $Rows/Ask/Cancel
@onready var _told = $Rows/Told


func _ready():
	_make.connect("pressed", Callable(self, "_ask"))
	_cancel.connect("pressed", Callable(self, "_give_up"))
	_ask()


func _ask():
	_make.disabled = true
	_cancel.disabled = false
	_job = $UnisonClient.run("text_to_audio", [_prompt.text, SECONDS])
	var job = _job
	await job.ended
	_make.disabled = false
	_cancel.disabled = true
	$Rows/Progress.value = 100 * job.fraction
	match job.state:
		"done":
			_told.text = "%.1f s, %.1f LUFS, seed %d\n%s" % [job.seconds, job.lufs, job.seed_used, job.path]
			$AudioStreamPlayer.stream = $UnisonClient.load_wav(job.path)
			$AudioStreamPlayer.play()
			$Rows/Waveform.show_stream($AudioStreamPlayer)
		"failed":
			_told.text = "%s: %s" % [job.code, job.text]
		"cancelled":
			_told.text = "Cancelled."


func _give_up():
	_job.cancel()


func _process(_delta):
	if _job.has_ended():
		return
	$Rows/Progress.value = 100 * _job.fraction
	if _job.state == "sent":
		_told.text = "Asking %s:%d. If nothing comes, start the engine: unison serve" % [$UnisonClient.host, $UnisonClient.port]
	else:
		_told.text = (_job.stage if _job.state == "running" else _job.state).capitalize()
