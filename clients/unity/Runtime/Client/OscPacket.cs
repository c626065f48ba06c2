using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace Unison
{
    /// <summary>An OSC 1.0 message. Values are int, float, long, double, bool and string.</summary>
    public sealed class OscPacket
    {
        public string Address { get; }
        public IReadOnlyList<object> Values { get; }

        public OscPacket(string address, params object[] values)
        {
            Address = address;
            Values = values;
        }

        /// <summary>The bytes of the message.</summary>
        /// <exception cref="ArgumentException">A value is of a type that OSC has no tag for here.</exception>
        public byte[] Encode()
        {
            var tags = new StringBuilder(",");
            var body = new MemoryStream();
            foreach (var value in Values) Append(tags, body, value);
            var packet = new MemoryStream();
            WriteText(packet, Address);
            WriteText(packet, tags.ToString());
            body.WriteTo(packet);
            return packet.ToArray();
        }

        /// <summary>Reads a message.</summary>
        /// <exception cref="FormatException">The bytes are no OSC message, or hold other types than i, f, s, h, d, T, F.</exception>
        public static OscPacket Decode(byte[] bytes)
        {
            var at = 0;
            var address = ReadText(bytes, ref at);
            var tags = ReadText(bytes, ref at);
            if (!address.StartsWith("/", StringComparison.Ordinal) || !tags.StartsWith(",", StringComparison.Ordinal))
                throw new FormatException("an OSC message begins with an address and type tags.");
            var values = new List<object>();
            foreach (var tag in tags.Substring(1))
            {
                switch (tag)
                {
                    case 'i': values.Add(BitConverter.ToInt32(ReadBigEndian(bytes, ref at, 4), 0)); break;
                    case 'f': values.Add(BitConverter.ToSingle(ReadBigEndian(bytes, ref at, 4), 0)); break;
                    case 'h': values.Add(BitConverter.ToInt64(ReadBigEndian(bytes, ref at, 8), 0)); break;
                    case 'd': values.Add(BitConverter.ToDouble(ReadBigEndian(bytes, ref at, 8), 0)); break;
                    case 's': values.Add(ReadText(bytes, ref at)); break;
                    case 'T': values.Add(true); break;
                    case 'F': values.Add(false); break;
                    default: throw new FormatException($"OSC type {tag} is not read here.");
                }
            }
            return new OscPacket(address, values.ToArray());
        }

        static void Append(StringBuilder tags, Stream body, object value)
        {
            // No patterns in a switch: the compiler of Mono does not know them.
            if (value is string)
            {
                tags.Append('s');
                WriteText(body, (string)value);
            }
            else if (value is bool)
            {
                tags.Append((bool)value ? 'T' : 'F');
            }
            else if (value is int)
            {
                tags.Append('i');
                WriteBigEndian(body, BitConverter.GetBytes((int)value));
            }
            else if (value is float)
            {
                tags.Append('f');
                WriteBigEndian(body, BitConverter.GetBytes((float)value));
            }
            else if (value is long)
            {
                tags.Append('h');
                WriteBigEndian(body, BitConverter.GetBytes((long)value));
            }
            else if (value is double)
            {
                tags.Append('d');
                WriteBigEndian(body, BitConverter.GetBytes((double)value));
            }
            else
            {
                throw new ArgumentException(
                    $"{value ?? "null"} cannot be sent; OSC values here are int, float, long, double, bool and string.");
            }
        }

        static void WriteText(Stream stream, string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            stream.Write(bytes, 0, bytes.Length);
            // At least one zero ends it.
            var zeros = 4 - bytes.Length % 4;
            stream.Write(new byte[zeros], 0, zeros);
        }

        static void WriteBigEndian(Stream stream, byte[] bytes)
        {
            if (BitConverter.IsLittleEndian) Array.Reverse(bytes);
            stream.Write(bytes, 0, bytes.Length);
        }

        static string ReadText(byte[] bytes, ref int at)
        {
            if (at >= bytes.Length) throw new FormatException("an OSC message ends too soon.");
            var end = Array.IndexOf(bytes, (byte)0, at);
            if (end < 0) throw new FormatException("an OSC string has no end.");
            var text = Encoding.UTF8.GetString(bytes, at, end - at);
            at = (end / 4 + 1) * 4;
            return text;
        }

        static byte[] ReadBigEndian(byte[] bytes, ref int at, int count)
        {
            if (at + count > bytes.Length) throw new FormatException("an OSC message ends too soon.");
            var value = new byte[count];
            Array.Copy(bytes, at, value, 0, count);
            if (BitConverter.IsLittleEndian) Array.Reverse(value);
            at += count;
            return value;
        }
    }
}
