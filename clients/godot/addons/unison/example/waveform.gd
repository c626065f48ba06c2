extends Control
# Draws the stream of a player, 16 bit and mono as the engine's takes are, and how far it has been played.

const COLUMNS = 480
const BACK = Color(0.1, 0.11, 0.14)
const WAVE = Color(0.38, 0.7, 1.0)
const PLAYED = Color(1.0, 0.75, 0.3)

var _player
# Of each column the lowest and the highest sample, -1 to 1.
var _peaks = []


func show_stream(player):
	_player = player
	_peaks.clear()
	var data = player.stream.data
	var samples = data.size() / 2
	for column in range(COLUMNS):
		var low = 0
		var high = 0
		for i in range(samples * column / COLUMNS, samples * (column + 1) / COLUMNS):
			var sample = data[2 * i] + 256 * data[2 * i + 1]
			if sample >= 32768:
				sample -= 65536
			low = min(low, sample)
			high = max(high, sample)
		_peaks.append(Vector2(low, high) / 32768.0)


func _process(_delta):
	queue_redraw()


func _draw():
	var area = get_rect().size
	draw_rect(Rect2(Vector2(), area), BACK)
	if _peaks.size() == 0:
		return
	var middle = area.y / 2
	var played = _player.get_playback_position() / _player.stream.get_length() if _player.playing else 0.0
	for column in range(COLUMNS):
		var peak = _peaks[column]
		var colour = PLAYED if column < played * COLUMNS else WAVE
		var place = Vector2(area.x * column / COLUMNS, middle - peak.y * middle)
		# At least a pixel, so that silence is a line.
		draw_rect(Rect2(place, Vector2(area.x / COLUMNS, max(1.0, (peak.y - peak.x) * middle))), colour)
