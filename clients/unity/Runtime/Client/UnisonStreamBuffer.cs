using System;
using System.Threading;
using System.Threading.Tasks;

namespace Unison
{
    /// <summary>
    /// A sound that one thread receives while another plays it. There is room for all of it, so it can be played again.
    /// Where the next samples have not come in time there is silence, and the sound goes on behind it. Read takes no
    /// lock and allocates nothing.
    /// </summary>
    public sealed class UnisonStreamBuffer
    {
        readonly float[] _samples;
        int _ready;
        int _next;
        int _position;
        int _end = -1;
        int _underruns;
        bool _dry;
        volatile bool _broken;

        public int Rate { get; }
        public int Channels { get; }
        /// <summary>Samples of each channel, of the whole sound.</summary>
        public int Frames { get; }

        public UnisonStreamBuffer(int rate, int channels, int frames)
        {
            Rate = rate;
            Channels = channels;
            Frames = frames;
            _samples = new float[channels * frames];
        }

        /// <summary>Frames that have come.</summary>
        public int Ready => Volatile.Read(ref _ready) / Channels;

        /// <summary>How often the sound waited for what had not come.</summary>
        public int Underruns => Volatile.Read(ref _underruns);

        /// <summary>No more comes, and the sound is not whole.</summary>
        public bool Broken => _broken;

        /// <summary>The frame, counted as in Seek and with every silence, behind the last of the sound; -1 before it was read.</summary>
        public int EndFrame => Volatile.Read(ref _end);

        /// <summary>Receives all of a stream, on threads of the pool.</summary>
        /// <exception cref="UnisonException">See UnisonStream.ReadAsync, as for all others.</exception>
        public Task FillAsync(UnisonStream stream)
        {
            return Task.Run(async () =>
            {
                try
                {
                    var part = new float[4096];
                    int count;
                    while ((count = await stream.ReadAsync(part, 0, part.Length).ConfigureAwait(false)) > 0)
                        Write(part, count);
                }
                catch
                {
                    _broken = true;
                    throw;
                }
            });
        }

        /// <summary>Receives the next samples; for one thread at a time.</summary>
        public void Write(float[] samples, int count)
        {
            Array.Copy(samples, 0, _samples, _ready, count);
            Volatile.Write(ref _ready, _ready + count); // Behind the samples, which another thread reads up to here.
        }

        /// <summary>Gives the next samples, or silence; for one thread at a time.</summary>
        public void Read(float[] target)
        {
            var count = Math.Min(target.Length, Volatile.Read(ref _ready) - _next);
            Array.Copy(_samples, _next, target, 0, count);
            Array.Clear(target, count, target.Length - count);
            _next += count;
            if (_next == _samples.Length)
            {
                if (_end < 0) Volatile.Write(ref _end, (_position + count) / Channels);
            }
            else if (count < target.Length && !_dry)
            {
                Interlocked.Increment(ref _underruns);
            }
            _dry = count < target.Length;
            _position += target.Length;
        }

        /// <summary>Goes on from a frame of the sound.</summary>
        public void Seek(int frame)
        {
            _position = Channels * frame;
            _next = Math.Min(_position, Volatile.Read(ref _ready));
            _dry = false;
            Volatile.Write(ref _end, -1);
        }
    }
}
