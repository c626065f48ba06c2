using System;
using System.IO;
using System.Net;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Unison
{
    /// <summary>A sound that arrives while it is made: a WAV file of 24 bit over HTTP. For one reader.</summary>
    public sealed class UnisonStream : IDisposable
    {
        const int SampleBytes = 3;
        static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
        readonly byte[] _bytes = new byte[SampleBytes * 4096];
        readonly HttpWebRequest _request;
        readonly CancellationToken _cancellation;
        readonly CancellationTokenRegistration _abortion;
        Stream _body;
        int _kept;
        long _left;

        /// <summary>Hz.</summary>
        public int Rate { get; private set; }
        public int Channels { get; private set; }
        /// <summary>Samples of each channel, of the whole sound.</summary>
        public int Frames { get; private set; }
        /// <summary>Ends when the engine has kept the sound, which is after its last sample has come; fails if the job does.</summary>
        public Task<UnisonTake> Take { get; }

        UnisonStream(HttpWebRequest request, Task<UnisonTake> take, CancellationToken cancellation)
        {
            _request = request;
            _cancellation = cancellation;
            _abortion = cancellation.Register(request.Abort);
            Take = take;
        }

        internal static async Task<UnisonStream> OpenAsync(
            Uri address, string token, Task<UnisonTake> take, CancellationToken cancellation)
        {
            // Not HttpClient: a project must refer to its assembly apart.
            var request = WebRequest.CreateHttp(address);
            request.Proxy = null;
            request.Timeout = request.ReadWriteTimeout = Timeout.Infinite; // A job may wait long for its turn.
            request.ServicePoint.ConnectionLimit = int.MaxValue;
            if (!string.IsNullOrEmpty(token)) request.Headers["Authorization"] = "Bearer " + token;
            var stream = new UnisonStream(request, take, cancellation);
            try
            {
                await stream.BeginAsync().ConfigureAwait(false);
                return stream;
            }
            catch (Exception error) when (error is WebException || error is IOException || error is ObjectDisposedException)
            {
                stream.Dispose();
                throw await stream.ReasonAsync(error).ConfigureAwait(false);
            }
        }

        /// <summary>The next samples, -1 to 1, the channels in turn, as soon as there are some.</summary>
        /// <returns>How many there are; 0 at the end of the sound.</returns>
        /// <exception cref="UnisonException">The job failed.</exception>
        /// <exception cref="OperationCanceledException">It was cancelled, here or by another client.</exception>
        /// <exception cref="IOException">The sound broke off.</exception>
        public async Task<int> ReadAsync(float[] target, int offset, int count)
        {
            if (_left == 0 || count == 0) return 0;
            try
            {
                while (_kept < SampleBytes)
                {
                    var wanted = (int)Math.Min(Math.Min(_bytes.Length, (long)SampleBytes * count) - _kept, _left * SampleBytes - _kept);
                    var got = await _body.ReadAsync(_bytes, _kept, wanted).ConfigureAwait(false);
                    if (got == 0) throw new EndOfStreamException($"{_left} samples are missing.");
                    _kept += got;
                }
            }
            catch (Exception error) when (error is WebException || error is IOException || error is ObjectDisposedException)
            {
                throw await ReasonAsync(error).ConfigureAwait(false);
            }
            var samples = _kept / SampleBytes;
            for (var number = 0; number < samples; number++)
            {
                var at = SampleBytes * number;
                var value = (_bytes[at] << 8 | _bytes[at + 1] << 16 | _bytes[at + 2] << 24) >> 8;
                target[offset + number] = value / 8388608f;
            }
            _kept -= SampleBytes * samples;
            Buffer.BlockCopy(_bytes, SampleBytes * samples, _bytes, 0, _kept);
            _left -= samples;
            return samples;
        }

        /// <summary>Reads no more; the job goes on.</summary>
        public void Dispose()
        {
            _abortion.Dispose();
            _request.Abort();
            _body?.Dispose();
        }

        async Task BeginAsync()
        {
            _body = (await _request.GetResponseAsync().ConfigureAwait(false)).GetResponseStream();
            await FillAsync(12).ConfigureAwait(false);
            while (true)
            {
                await FillAsync(8).ConfigureAwait(false);
                var name = Encoding.ASCII.GetString(_bytes, 0, 4);
                var size = BitConverter.ToUInt32(_bytes, 4);
                if (name == "data")
                {
                    _left = size / SampleBytes;
                    Frames = (int)(_left / Channels);
                    return;
                }
                for (var left = size + size % 2; left > 0;)
                {
                    var part = (int)Math.Min(left, (uint)_bytes.Length);
                    await FillAsync(part).ConfigureAwait(false);
                    left -= (uint)part;
                    if (name != "fmt ") continue;
                    Channels = BitConverter.ToUInt16(_bytes, 2);
                    Rate = BitConverter.ToInt32(_bytes, 4);
                    var bits = BitConverter.ToUInt16(_bytes, 14);
                    if (bits != 8 * SampleBytes) throw new IOException($"samples have {bits} bits, and 24 are read.");
                }
            }
        }

        async Task FillAsync(int count)
        {
            for (var filled = 0; filled < count;)
            {
                var got = await _body.ReadAsync(_bytes, filled, count - filled).ConfigureAwait(false);
                if (got == 0) throw new EndOfStreamException("there is no sound in it.");
                filled += got;
            }
        }

        /// <summary>Why no more comes: the end of the job, of which the client is told, or else the line.</summary>
        async Task<Exception> ReasonAsync(Exception error)
        {
            _cancellation.ThrowIfCancellationRequested();
            if (await Task.WhenAny(Take, Task.Delay(Patience)).ConfigureAwait(false) == Take)
                await Take.ConfigureAwait(false);
            return new IOException("the sound broke off: " + error.Message, error);
        }
    }
}
