// What tests/desks/desk.py asks of every client.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Unison;

static class Exchange
{
    static int Main(string[] arguments)
    {
        RunAsync(arguments[0] == "udp", int.Parse(arguments[1])).GetAwaiter().GetResult();
        return 0;
    }

    static async Task RunAsync(bool udp, int port)
    {
        using (var client = udp ? UnisonClient.OverUdp(port: port) : await UnisonClient.OverWebSocketAsync(port: port))
        {
            var sound = await client.RunAsync(
                "text_to_audio", new object[] { "heavy rain", 0.5f }, new Dictionary<string, object> { { "seed", 42 } });
            Console.WriteLine($"desk: done {sound.Path} {sound.Seconds}");
            var edit = await client.RunAsync("scene_edit", new object[] { sound.Asset, "Add wind." });
            Console.WriteLine($"desk: done {edit.Path} {edit.Seconds}");
            try
            {
                await client.RunAsync("text_to_audio", new object[] { "rain", -2.0f });
            }
            catch (UnisonException error)
            {
                Console.WriteLine($"desk: fail {error.Code}");
            }
            var cancelling = new CancellationTokenSource();
            var steps = new Dictionary<string, object> { { "steps", 1000 } };
            try
            {
                await client.RunAsync("text_to_audio", new object[] { "rain", 1.0f }, steps,
                    new Cancelling(cancelling), cancelling.Token);
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine("desk: cancelled");
            }
        }
    }

    sealed class Cancelling : IProgress<UnisonProgress>
    {
        readonly CancellationTokenSource _source;

        public Cancelling(CancellationTokenSource source)
        {
            _source = source;
        }

        public void Report(UnisonProgress progress)
        {
            Console.WriteLine("desk: progress");
            _source.Cancel();
        }
    }
}
