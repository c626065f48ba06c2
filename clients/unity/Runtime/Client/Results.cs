using System;

namespace Unison
{
    /// <summary>A finished sound: Broadcast Wave, 48 kHz, 24 bit, mono.</summary>
    public sealed class UnisonTake
    {
        public string Path { get; }
        public float Seconds { get; }
        public int Rate { get; }
        public int Channels { get; }
        /// <summary>Its name, which an edit may give as its source.</summary>
        public string Asset { get; }
        public int Seed { get; }
        /// <summary>Integrated loudness, LUFS.</summary>
        public float Lufs { get; }

        internal UnisonTake(OscPacket done)
        {
            Path = (string)done.Values[3];
            Seconds = Convert.ToSingle(done.Values[4]);
            Rate = Convert.ToInt32(done.Values[5]);
            Channels = Convert.ToInt32(done.Values[6]);
            Asset = (string)done.Values[7];
            Seed = Convert.ToInt32(done.Values[8]);
            Lufs = Convert.ToSingle(done.Values[9]);
        }
    }

    /// <summary>How a job stands.</summary>
    public struct UnisonProgress
    {
        public float Fraction;
        public string Stage;
        /// <summary>Seconds to go; -1 if unknown.</summary>
        public float EtaSeconds;
    }

    /// <summary>A request was refused or failed.</summary>
    public sealed class UnisonException : Exception
    {
        /// <summary>Such as bad_args; it never changes, while the message may.</summary>
        public string Code { get; }

        public UnisonException(string code, string message) : base(message)
        {
            Code = code;
        }
    }
}
