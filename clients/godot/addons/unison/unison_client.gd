extends Node
# A client of the Unison engine over UDP. It has to be in the scene tree, since it sends and listens once a frame.

const Osc = preload("osc.gd")
const Job = preload("unison_job.gd")
const WAV_PCM = 1
# A cancelled job that no engine has answered for so long is over.
const CANCEL_TRIES = 3
const WAV_EXTENSIBLE = 0xFFFE

@export var host = "127.0.0.1"
@export var port = 7770
# After how long a request is sent again; the engine answers repetitions and starts nothing twice.
@export var retry_seconds = 1.0

var _socket = PacketPeerUDP.new()
var _jobs = {}
var _next = 0


func _init():
	randomize()
	# Starts anywhere: the engine knows the numbers of a client on the same port for a minute. One in two is for a cancel.
	_next = 2 * (randi() % 500000) + 1


# Asks for a sound: the fixed arguments of the task in their order, and the others by name.
func run(task, arguments, pairs = {}):
	_socket.set_dest_address(host, port)
	var values = [_next] + arguments
	for key in pairs:
		values += [key, pairs[key]]
	var job = Job.new()
	job.request = _next
	job.packet = Osc.encode("/unison/run/" + task, values)
	_jobs[_next] = job
	_next += 2
	return job


func _process(_delta):
	# Before anything is sent: after a pause of the tree the end of a job may have been waiting here for long, and the
	# engine knows a request for a minute only.
	while _socket.get_available_packet_count() > 0:
		var message = Osc.decode(_socket.get_packet())
		if message.size() == 2:
			_hear(message[0], message[1])
	for job in _jobs.values():
		if Time.get_ticks_msec() - job.sent_at >= 1000.0 * retry_seconds:
			job.sent_at = Time.get_ticks_msec()
			if job.cancel_request != 0 and job.id == "":
				job.cancel_tries += 1
				if job.cancel_tries > CANCEL_TRIES:
					_jobs.erase(job.request)
					job.hear("cancelled", [])
					continue
			_socket.put_packet(job.packet)
			if job.cancel_request != 0 and job.id != "":
				_socket.put_packet(Osc.encode("/unison/job/cancel", [job.cancel_request, job.id]))


func _hear(address, values):
	var kind = address.get_file()
	if address == "/unison/progress":
		for job in _jobs.values():
			if job.id == values[0]:
				job.hear(kind, values)
	elif values.size() > 2 and _jobs.has(values[1]):
		var job = _jobs[values[1]]
		# It is forgotten first: a signal may ask for the next.
		if kind in ["done", "fail", "cancelled"]:
			_jobs.erase(values[1])
		job.hear(kind, values)


# The file as a stream to play, 16 bit; null if it is no WAV of 16 or 24 bit. A Godot of this age reads no more.
static func load_wav(path):
	var file = FileAccess.open(path, FileAccess.READ) #4
	#3 var file = File.new()
	#3 if file.open(path, File.READ) != OK: file = null
	if file == null or file.get_buffer(4).get_string_from_ascii() != "RIFF":
		return null
	file.seek(12)
	var stream = AudioStreamWAV.new()
	var bits = 0
	while file.get_position() + 8 <= file.get_length():
		var chunk = file.get_buffer(4).get_string_from_ascii()
		var size = file.get_32()
		var start = file.get_position()
		if chunk == "fmt ":
			var format = file.get_16()
			stream.stereo = file.get_16() == 2
			stream.mix_rate = file.get_32()
			file.seek(start + 14)
			bits = file.get_16()
			if not format in [WAV_PCM, WAV_EXTENSIBLE] or not bits in [16, 24]:
				return null
		elif chunk == "data":
			stream.format = AudioStreamWAV.FORMAT_16_BITS
			stream.data = _as_16_bit(file.get_buffer(size), bits)
			return stream
		file.seek(start + size + size % 2)
	return null


static func _as_16_bit(bytes, bits):
	if bits == 16:
		return bytes
	var kept = PackedByteArray()
	kept.resize(bytes.size() / 3 * 2)
	for i in range(bytes.size() / 3):
		kept[2 * i] = bytes[3 * i + 1]
		kept[2 * i + 1] = bytes[3 * i + 2]
	return kept
