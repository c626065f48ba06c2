using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
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
        readonly Uri _http;
        readonly string _token;
        readonly ConcurrentDictionary<int, UnisonJob> _jobs = new ConcurrentDictionary<int, UnisonJob>();
        readonly CancellationTokenSource _closing = new CancellationTokenSource();
        // Starts anywhere: the engine knows the numbers of a client on the same port for a minute.
        int _requests = new Random().Next(1, 1000000);

        /// <summary>After how long a request is sent again.</summary>
        public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

        /// <summary>Uses a line that it closes in the end.</summary>
        /// <param name="transport">The line.</param>
        /// <param name="http">Where the engine answers HTTP, such as http://127.0.0.1:7770; for StreamAsync alone.</param>
        /// <param name="token">Of another machine's engine.</param>
        public UnisonClient(IUnisonTransport transport, Uri http = null, string token = null)
        {
            _transport = transport;
            _http = http;
            _token = token;
            _ = Task.Run(ListenAsync);
        }

        /// <summary>A client over UDP, which reaches the engine of the same machine.</summary>
        public static UnisonClient OverUdp(string host = "127.0.0.1", int port = 7770)
        {
            return new UnisonClient(new UdpTransport(host, port), Http(host, port));
        }

        /// <summary>A client over WebSocket; another machine's engine wants its token.</summary>
        public static async Task<UnisonClient> OverWebSocketAsync(
            string host = "127.0.0.1", int port = 7770, string token = null,
            CancellationToken cancellation = default(CancellationToken))
        {
            var line = await WebSocketTransport.ConnectAsync(host, port, token, cancellation).ConfigureAwait(false);
            return new UnisonClient(line, Http(host, port), token);
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
        public Task<UnisonTake> RunAsync(
            string task, IEnumerable<object> arguments, IEnumerable<KeyValuePair<string, object>> pairs = null,
            IProgress<UnisonProgress> progress = null, CancellationToken cancellation = default(CancellationToken))
        {
            return AskAsync(task, arguments, pairs, new UnisonJob(progress, Interlocked.Increment(ref _requests)), cancellation);
        }

        /// <summary>Runs a task whose sound is read while it is made; otherwise as RunAsync.</summary>
        /// <returns>The stream, when the first of the sound is there. Dispose of it; the job goes on.</returns>
        /// <exception cref="IOException">The sound could not be fetched.</exception>
        public async Task<UnisonStream> StreamAsync(
            string task, IEnumerable<object> arguments, IEnumerable<KeyValuePair<string, object>> pairs = null,
            IProgress<UnisonProgress> progress = null, CancellationToken cancellation = default(CancellationToken))
        {
            if (_http == null) throw new InvalidOperationException("give the client the engine's http address to stream.");
            var job = new UnisonJob(progress, Interlocked.Increment(ref _requests));
            var take = AskAsync(task, arguments, pairs, job, cancellation);
            await Task.WhenAny(job.Named.Task, take).ConfigureAwait(false);
            if (!job.Named.Task.IsCompleted) await take.ConfigureAwait(false); // Refused, or cancelled before it was heard.
            return await UnisonStream.OpenAsync(
                new Uri(_http, "/jobs/" + Uri.EscapeDataString(job.Id) + "/sound.wav"), _token, take, cancellation)
                .ConfigureAwait(false);
        }

        /// <summary>Closes the line; what runs here ends with ObjectDisposedException, the engine finishes it.</summary>
        public void Dispose()
        {
            _closing.Cancel();
            _transport.Dispose();
        }

        static Uri Http(string host, int port)
        {
            return new UriBuilder("http", host, port).Uri;
        }

        async Task<UnisonTake> AskAsync(
            string task, IEnumerable<object> arguments, IEnumerable<KeyValuePair<string, object>> pairs, UnisonJob job,
            CancellationToken cancellation)
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
            UnisonJob job;
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
                        job.Name((string)packet.Values[2]);
                        break;
                    case "/unison/done":
                        job.Name((string)packet.Values[2]); // Its ack may be lost.
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
    }
}
