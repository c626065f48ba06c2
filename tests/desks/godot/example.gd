extends SceneTree
# Uses the example scene as a person would: hears its first sound, is refused one without words, gives one up.

var example = preload("res://addons/unison/example/example.tscn").instantiate()


func _initialize():
	example.get_node("UnisonClient").port = int(OS.get_environment("UNISON_PORT"))
	root.add_child(example)
	_use()


func _use():
	var heard = example._job
	await heard.ended
	_tell()
	print("playing: ", example.get_node("AudioStreamPlayer").playing)
	for peak in example.get_node("Rows/Waveform")._peaks:
		print("peak: ", peak.x, " ", peak.y)
	example.get_node("Rows/Ask/Prompt").text = ""
	example.get_node("Rows/Ask/Make").emit_signal("pressed")
	var refused = example._job
	await refused.ended
	_tell()
	example.get_node("Rows/Ask/Prompt").text = "rain"
	example.get_node("Rows/Ask/Make").emit_signal("pressed")
	example.get_node("Rows/Ask/Cancel").emit_signal("pressed")
	var cancelled = example._job
	await cancelled.ended
	_tell()
	example.queue_free()
	quit()


func _tell():
	print("told: ", example.get_node("Rows/Told").text.replace("\n", " | "))
