-- An empty session with its OSC surface on is what the test opens: session.lua FOLDER.
create_session (arg[1], "desk", 48000):save_state ("")
close_session ()
quit ()
