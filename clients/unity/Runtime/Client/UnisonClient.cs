using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Unison
{
    /// <summary>
    /// A client of the Unison engine, without types of any game engine. A request is sent again until its end is heard;
    /// the engine answers repetitions and starts nothing twice. Safe to use from any thread.
    /// </summary>
    public sealed class UnisonClient : IDisposable
    {
        const int CancelTries = 3;
        const string CancelAddress = "/unison/job/cancel";
        readonly IUnisonTransport _transport;
        readonly ConcurrentDictionary<int, Job> _jobs = new ConcurrentDictionary<int, Job>();
        readonly CancellationTokenSource _closing = new CancellationTokenSource();
        // Starts anywhere: the engine knows the numbers of a client on the same port for a minute.
        int _requests = new Random().Next(1, 1000000);

        /// <summary>After how long a request is sent again.</summary>
        public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

        /// <summary>Uses a line that it closes in the end.</summary>
        public UnisonClient(IUnisonTransport transport)
        {
            _transport = transport;
            _ = Task.Run(ListenAsync);
        }

        /// <summary>A client over UDP, which reaches the engine of the same machine.</summary>
        public static UnisonClient OverUdp(string host = "127.0.0.1", int port = 7770)
        {
            return new UnisonClient(new UdpTransport(host, port));
        }

        /// <summary>A client over WebSocket; another machine's engine wants its token.</summary>
        public static async Task<UnisonClient> OverWebSocketAsync(
            string host = "127.0.0.1", int port = 7770, string token = null,
            CancellationToken cancellation = default(CancellationToken))
        {
            return new UnisonClient(
                await WebSocketTransport.ConnectAsync(host, port, token, cancellation).ConfigureAwait(false));
        }

        /// <summary>Runs a task.</summary>
        /// <param name="task">Its name, such as text_to_audio.</param>
        /// <param name="arguments">The fixed arguments, in their order.</param>
        /// <param name="pairs">The others by name, such as seed.</param>
        /// <param name="progress">Told as the job goes on, on a thread of the pool unless it is a Progress of another.</param>
        /// <param name="cancellation">Cancels the job, queued or running.</param>
        /// <exception cref="UnisonException">The request was refused or failed.</exception>
        /// <exception cref="OperationCanceledException">It was cancelled, here or by another client.</exception>
        /// <exception cref="ObjectDisposedException">The client was closed.</exception>
        public async Task<UnisonTake> RunAsync(
            string task, IEnumerable<object> arguments, IEnumerable<KeyValuePair<string, object>> pairs = null,
            IProgress<UnisonProgress> progress = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (_closing.IsCancellationRequested) throw new ObjectDisposedException(nameof(UnisonClient));
            var request = Interlocked.Increment(ref _requests);
            var values = new List<object> { request };
            values.AddRange(arguments);
            foreach (var pair in pairs ?? Enumerable.Empty<KeyValuePair<string, object>>())
            {
                values.Add(pair.Key);
                values.Add(pair.Value);
            }
            var packet = new OscPacket("/unison/run/" + task, values.ToArray()).Encode();
            var job = new Job(progress, Interlocked.Increment(ref _requests));
            _jobs[request] = job;
            try
            {
                using (cancellation.Register(job.Ring))
                using (_closing.Token.Register(job.Close))
                {
                    var unheard = 0;
                    while (!job.Ended.Task.IsCompleted)
                    {
                        // Nobody is there who could cancel it.
                        if (cancellation.IsCancellationRequested && job.Id == null && ++unheard > CancelTries)
                            job.Ended.TrySetCanceled();
                        var rung = job.Rung;
                        await _transport.SendAsync(packet).ConfigureAwait(false);
                        if (cancellation.IsCancellationRequested && job.Id != null)
                            await _transport.SendAsync(new OscPacket(CancelAddress, job.CancelRequest, job.Id).Encode())
                                .ConfigureAwait(false);
                        await Task.WhenAny(job.Ended.Task, rung, Task.Delay(RetryAfter)).ConfigureAwait(false);
                    }
                }
                return await job.Ended.Task.ConfigureAwait(false);
            }
            finally
            {
                _jobs.TryRemove(request, out job);
            }
        }

        /// <summary>Closes the line; what runs here ends with ObjectDisposedException, the engine finishes it.</summary>
        public void Dispose()
        {
            _closing.Cancel();
            _transport.Dispose();
        }

        async Task ListenAsync()
        {
            byte[] bytes;
            while ((bytes = await _transport.ReceiveAsync().ConfigureAwait(false)) != null)
            {
                OscPacket packet;
                try
                {
                    packet = OscPacket.Decode(bytes);
                }
                catch (FormatException)
                {
                    continue; // Not from the engine.
                }
                Hear(packet);
            }
            _closing.Cancel();
        }

        void Hear(OscPacket packet)
        {
            Job job;
            if (packet.Address == "/unison/progress")
            {
                var id = (string)packet.Values[0];
                _jobs.Values.FirstOrDefault(known => known.Id == id)?.Tell(packet);
            }
            else if (packet.Values.Count > 2 && packet.Values[1] is int request && _jobs.TryGetValue(request, out job))
            {
                switch (packet.Address)
                {
                    case "/unison/ack":
                        if (job.Id != null) break; // Repeated, as the request was.
                        job.Id = (string)packet.Values[2];
                        job.Ring(); // A cancel that waited for the job's name goes out.
                        break;
                    case "/unison/done":
                        job.Ended.TrySetResult(new UnisonTake(packet));
                        break;
                    case "/unison/fail":
                        job.Ended.TrySetException(new UnisonException((string)packet.Values[2], (string)packet.Values[3]));
                        break;
                    case "/unison/cancelled":
                        job.Ended.TrySetCanceled();
                        break;
                }
            }
        }

        sealed class Job
        {
            readonly IProgress<UnisonProgress> _progress;
            TaskCompletionSource<bool> _bell = NewBell();

            public readonly TaskCompletionSource<UnisonTake> Ended =
                new TaskCompletionSource<UnisonTake>(TaskCreationOptions.RunContinuationsAsynchronously);
            public readonly int CancelRequest;
            public volatile string Id;

            public Job(IProgress<UnisonProgress> progress, int cancelRequest)
            {
                _progress = progress;
                CancelRequest = cancelRequest;
            }

            /// <summary>Ends when there is a reason not to wait for the next repetition.</summary>
            public Task Rung => Volatile.Read(ref _bell).Task;

            public void Ring()
            {
                Interlocked.Exchange(ref _bell, NewBell()).TrySetResult(true);
            }

            public void Close()
            {
                Ended.TrySetException(new ObjectDisposedException(nameof(UnisonClient)));
            }

            public void Tell(OscPacket packet)
            {
                _progress?.Report(new UnisonProgress
                {
                    Fraction = Convert.ToSingle(packet.Values[1]),
                    Stage = (string)packet.Values[2],
                    EtaSeconds = Convert.ToSingle(packet.Values[5]),
                });
            }

            static TaskCompletionSource<bool> NewBell()
            {
                return new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }
}
