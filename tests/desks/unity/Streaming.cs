// Sounds that are read while they are made; tests/desks/test_unity.py starts the engine, and kills its worker when told.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Unison;

static class Streaming
{
    static int Main(string[] arguments)
    {
        Buffer();
        RunAsync(arguments[0] == "udp", int.Parse(arguments[1]), arguments[2], arguments[3]).GetAwaiter().GetResult();
        return 0;
    }

    static async Task RunAsync(bool udp, int port, string token, string file)
    {
        using (var client = udp ? UnisonClient.OverUdp(port: port)
            : await UnisonClient.OverWebSocketAsync(port: port, token: token))
        {
            var pairs = new Dictionary<string, object> { { "seed", 42 } };
            using (var stream = await client.StreamAsync("text_to_audio", new object[] { "heavy rain", 3f }, pairs))
            {
                var buffer = new UnisonStreamBuffer(stream.Rate, stream.Channels, stream.Frames);
                var filling = buffer.FillAsync(stream);
                while (buffer.Ready == 0) await Task.Delay(1);
                Console.WriteLine($"desk: first {buffer.Ready < buffer.Frames} {stream.Take.IsCompleted}");
                await filling;
                var samples = new float[buffer.Frames];
                buffer.Read(samples);
                using (var writer = new BinaryWriter(File.Create(file)))
                    foreach (var sample in samples) writer.Write(sample);
                Console.WriteLine($"desk: whole {buffer.Rate} {buffer.Channels} {buffer.Frames} {buffer.EndFrame} {buffer.Underruns}");
                Console.WriteLine($"desk: done {(await stream.Take).Path}");
            }
            try
            {
                await client.StreamAsync("text_to_audio", new object[] { "rain", -2f });
            }
            catch (UnisonException error)
            {
                Console.WriteLine($"desk: fail {error.Code}");
            }
            var cancelling = new CancellationTokenSource();
            using (var stream = await client.StreamAsync(
                "text_to_audio", new object[] { "sea", 10f }, cancellation: cancelling.Token))
            {
                try
                {
                    var part = new float[4800];
                    while (await stream.ReadAsync(part, 0, part.Length) > 0) cancelling.Cancel();
                }
                catch (OperationCanceledException)
                {
                    Console.WriteLine("desk: cancelled");
                }
                await Task.WhenAny(stream.Take);
                Console.WriteLine($"desk: job {stream.Take.Status}");
            }
            using (var stream = await client.StreamAsync("text_to_audio", new object[] { "sea", 10f }))
            {
                var buffer = new UnisonStreamBuffer(stream.Rate, stream.Channels, stream.Frames);
                Console.WriteLine("desk: kill");
                try
                {
                    await buffer.FillAsync(stream);
                }
                catch (UnisonException error)
                {
                    Console.WriteLine($"desk: fail {error.Code} {buffer.Broken}");
                }
            }
        }
    }

    static void Buffer()
    {
        var buffer = new UnisonStreamBuffer(48000, 1, 5);
        buffer.Write(new float[] { 1, 2, 3, 9 }, 3);
        Expect(buffer, "1 2", 0, -1);
        Expect(buffer, "3 0", 1, -1); // It runs dry, and silence comes in its place,
        Expect(buffer, "0 0", 1, -1); // which is told once.
        buffer.Write(new float[] { 4, 5 }, 2);
        Expect(buffer, "4 5", 1, 8);
        Expect(buffer, "0 0", 1, 8); // Behind the end nothing is missing.
        buffer.Seek(3);
        Expect(buffer, "4 5", 1, 5);
        buffer.Seek(4);
        Expect(buffer, "5 0", 1, 5);
        var target = new float[2];
        var collections = GC.CollectionCount(0);
        for (var turn = 0; turn < 2000000; turn++)
        {
            buffer.Seek(turn % 5);
            buffer.Read(target);
        }
        Console.WriteLine($"desk: collections {GC.CollectionCount(0) - collections}");
    }

    static void Expect(UnisonStreamBuffer buffer, string samples, int underruns, int end)
    {
        var target = new float[2];
        buffer.Read(target);
        var found = $"{string.Join(" ", target.Select(sample => (int)sample))}, {buffer.Underruns}, {buffer.EndFrame}";
        if (found != $"{samples}, {underruns}, {end}")
            throw new Exception($"expected {samples}, {underruns}, {end}; found {found}");
    }
}
