extends RefCounted
# OSC 1.0 messages of int, float and string.


# The bytes of a message. Values that are no number go as text; true and false go as 1 and 0.
static func encode(address, values):
	var tags = ","
	var body = StreamPeerBuffer.new()
	body.big_endian = true
	for value in values:
		match typeof(value):
			TYPE_INT, TYPE_BOOL:
				tags += "i"
				body.put_32(int(value))
			TYPE_FLOAT:
				tags += "f"
				body.put_float(value)
			_:
				tags += "s"
				body.put_data(_padded(str(value)))
	return _padded(address) + _padded(tags) + body.data_array


# A message as [address, values]; empty if the bytes are no message of these types.
static func decode(bytes):
	var body = StreamPeerBuffer.new()
	body.big_endian = true
	body.data_array = bytes
	var address = _text(body)
	var tags = _text(body)
	if not address.begins_with("/") or not tags.begins_with(","):
		return []
	var values = []
	for tag in tags.substr(1):
		if tag == "s":
			values.append(_text(body))
		elif (tag == "i" or tag == "f") and body.get_available_bytes() >= 4:
			values.append(body.get_32() if tag == "i" else body.get_float())
		else:
			return []
	return [address, values]


static func _padded(text):
	var bytes = text.to_utf8_buffer()
	# At least one zero ends it.
	for _i in range(4 - bytes.size() % 4):
		bytes.append(0)
	return bytes


static func _text(body):
	var bytes = body.data_array
	var start = body.get_position()
	var end = start
	while end < bytes.size() and bytes[end] != 0:
		end += 1
	if end == bytes.size():
		return ""
	body.seek((end / 4 + 1) * 4)
	if end == start:
		return ""
	return bytes.slice(start, end).get_string_from_utf8() #4
	#3 return bytes.subarray(start, end - 1).get_string_from_utf8()
