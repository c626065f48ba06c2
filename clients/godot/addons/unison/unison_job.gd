extends RefCounted
# One request to the engine; made by UnisonClient.run.

signal progressed(job)
signal done(job)
signal failed(job)
signal cancelled(job)
# After any of the last three.
signal ended(job)

var request = 0
# sent, queued, running, done, failed or cancelled.
var state = "sent"
var id = ""
var fraction = 0.0
var stage = ""
# Of the take: Broadcast Wave, 48 kHz, 24 bit, mono. Its asset is the name that an edit gives as its source.
var path = ""
var seconds = 0.0
var rate = 0
var channels = 0
var asset = ""
var seed_used = 0
var lufs = 0.0
# Of a failure: the code never changes, the text says what to mend.
var code = ""
var text = ""

var packet
var sent_at = -1000000
var cancel_request = 0
var cancel_tries = 0


# Ends the job, queued or running.
func cancel():
	if cancel_request == 0:
		cancel_request = request + 1
		sent_at = -1000000


func has_ended():
	return state == "done" or state == "failed" or state == "cancelled"


func hear(kind, values):
	match kind:
		"ack":
			if id == "":
				id = values[2]
				state = "queued"
				if cancel_request != 0:
					sent_at = -1000000
		"progress":
			state = "running"
			fraction = values[1]
			stage = values[2]
			emit_signal("progressed", self)
		"done":
			id = values[2]
			path = values[3]
			seconds = values[4]
			rate = values[5]
			channels = values[6]
			asset = values[7]
			seed_used = values[8]
			lufs = values[9]
			fraction = 1.0
			_end("done")
		"fail":
			code = values[2]
			text = values[3]
			_end("failed")
		"cancelled":
			_end("cancelled")


func _end(how):
	state = how
	emit_signal(how, self)
	emit_signal("ended", self)
