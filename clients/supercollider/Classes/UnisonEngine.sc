// A client of the Unison engine. The exchange is that of docs/osc.md.
UnisonEngine {
	classvar default, requests;
	var <address, <>retrySeconds = 1, jobs, responders;

	*default { ^default ?? { default = this.new } }
	*default_ { |engine| default = engine }

	// All engines share one socket of sclang, so they share the count. It starts anywhere, so that the numbers of an
	// sclang that ran a minute ago are not taken for repetitions.
	*nextRequest {
		requests = (requests ?? { 1000000.rand }) + 1;
		^requests
	}

	*initClass {
		StartUp.add {
			Event.addEventType(\unison, {
				var engine = ~engine ?? { UnisonEngine.default };
				~job = engine.run(~task ? \text_to_audio, ~arguments, ~pairs, ~action, ~onProgress, ~onFail,
					~onCancelled);
			});
		};
	}

	*new { |host = "127.0.0.1", port = 7770| ^super.new.init(NetAddr(host, port)) }

	init { |netAddr|
		address = netAddr;
		jobs = IdentityDictionary.new;
		responders = [\ack, \done, \fail, \cancelled].collect { |kind|
			OSCFunc({ |message| jobs[message[2]] !? { |job| job.hear(kind, message) } }, "/unison/" ++ kind)
		} ++ [
			OSCFunc({ |message|
				jobs.detect { |job| job.id == message[1] } !? { |job| job.hear(\progress, message) }
			}, "/unison/progress")
		];
		responders.do(_.permanent_(true));
	}

	run { |task, arguments, pairs, action, onProgress, onFail, onCancelled|
		var job = UnisonJob(this, ["/unison/run/" ++ task, this.class.nextRequest] ++ arguments ++ (pairs ? []).asPairs);
		job.action = action;
		job.onProgress = onProgress;
		job.onFail = onFail ? { |job| "unison: %: %".format(job.code, job.text).warn };
		job.onCancelled = onCancelled;
		jobs[job.request] = job;
		job.start;
		^job
	}

	forget { |job| jobs.removeAt(job.request) }

	cancelAll { jobs.copy.do(_.cancel) }

	free {
		responders.do(_.free);
		jobs.copy.do(_.abandon);
	}
}

UnisonJob {
	var <engine, <message, <request, <id, <state = \sent, <fraction = 0, <stage;
	var <path, <seconds, <rate, <channels, <asset, <seed, <lufs, <code, <text;
	var <>action, <>onProgress, <>onFail, <>onCancelled;
	var ended, cancelMessage, tries = 0, cancelTries = 0;

	*new { |engine, message| ^super.newCopyArgs(engine, message, message[1]).init }

	init { ended = Condition.new }

	start {
		{
			// The engine answers a repeated request as it did before, and starts nothing again.
			while { this.hasEnded.not } {
				engine.address.sendMsg(*message);
				this.sendCancel;
				engine.retrySeconds.wait;
				this.expectAnswer;
			}
		}.fork(SystemClock);
	}

	hasEnded { ^#[\done, \failed, \cancelled, \abandoned].includes(state) }

	// In a Routine: returns when the job ended.
	wait { ended.wait; ^this }

	cancel {
		cancelMessage = cancelMessage ?? { ["/unison/job/cancel", UnisonEngine.nextRequest] };
		this.sendCancel;
	}

	sendCancel {
		if (cancelMessage.notNil and: { id.notNil } and: { this.hasEnded.not }) {
			engine.address.sendMsg(*(cancelMessage ++ [id]));
		}
	}

	// Where no engine answers: a cancelled job is over after a while, and of others it is told once.
	expectAnswer {
		if (id.isNil and: { this.hasEnded.not }) {
			tries = tries + 1;
			if (cancelMessage.notNil) { cancelTries = cancelTries + 1 };
			if (cancelTries > 3) { this.end(\cancelled, onCancelled) } {
				if (tries == 10) { "unison: no engine answers at %; start one with: unison serve".format(engine.address).warn };
			};
		};
	}

	abandon { this.end(\abandoned) }

	hear { |kind, reply|
		switch(kind,
			\ack, {
				if (id.isNil) { state = \queued; id = reply[3]; this.sendCancel };
			},
			\progress, {
				state = \running;
				fraction = reply[2];
				stage = reply[3];
				onProgress.value(this);
			},
			\done, {
				id = reply[3];
				path = reply[4].asString;
				#seconds, rate, channels, asset, seed, lufs = reply[5..10];
				fraction = 1;
				this.end(\done, action);
			},
			\fail, {
				code = reply[3];
				text = reply[4].asString;
				this.end(\failed, onFail);
			},
			\cancelled, { this.end(\cancelled, onCancelled) }
		);
	}

	end { |how, function|
		state = how;
		engine.forget(this);
		function.value(this);
		ended.test = true;
		ended.signal;
	}

	printOn { |stream| stream << "UnisonJob(" << request << ", " << state << ")" }
}
