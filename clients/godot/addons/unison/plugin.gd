@tool
extends EditorPlugin


func _enter_tree():
	add_custom_type("UnisonClient", "Node", preload("unison_client.gd"), null)


func _exit_tree():
	remove_custom_type("UnisonClient")
