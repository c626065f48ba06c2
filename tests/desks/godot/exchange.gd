extends SceneTree
# What tests/desks/desk.py asks of every client.

const UnisonClient = preload("res://addons/unison/unison_client.gd")

var engine = UnisonClient.new()


func _initialize():
	engine.port = int(OS.get_environment("UNISON_PORT"))
	root.add_child(engine)
	_exchange()


func _exchange():
	var sound = engine.run("text_to_audio", ["heavy rain", 0.5], {"seed": 42})
	await sound.ended
	print("desk: done ", sound.path, " ", sound.seconds)
	var wav = UnisonClient.load_wav(sound.path)
	print("wav: ", wav.mix_rate, " ", wav.data.size(), " ", wav.stereo)
	var edit = engine.run("scene_edit", [sound.asset, "Add wind."])
	await edit.ended
	print("desk: done ", edit.path, " ", edit.seconds)
	var bad = engine.run("text_to_audio", ["rain", -2.0])
	await bad.failed
	print("desk: fail ", bad.code)
	var long = engine.run("text_to_audio", ["rain", 1.0], {"steps": 1000})
	long.connect("progressed", Callable(self, "_progressed"))
	await long.cancelled
	print("desk: cancelled")
	engine.queue_free()
	quit()


func _progressed(job):
	print("desk: progress")
	job.cancel()
