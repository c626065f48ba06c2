using System;
using System.IO;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Threading;
using System.Threading.Tasks;

namespace Unison
{
    /// <summary>A line that carries whole packets.</summary>
    public interface IUnisonTransport : IDisposable
    {
        Task SendAsync(byte[] packet);
        /// <summary>The next packet, or null when the line is closed.</summary>
        Task<byte[]> ReceiveAsync();
    }

    /// <summary>UDP: datagrams may be lost, so the client sends again.</summary>
    public sealed class UdpTransport : IUnisonTransport
    {
        readonly UdpClient _socket;
        volatile bool _closed;

        public UdpTransport(string host, int port)
        {
            _socket = new UdpClient(host, port);
        }

        public async Task SendAsync(byte[] packet)
        {
            try
            {
                await _socket.SendAsync(packet, packet.Length).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                // Nobody listens there yet; the packet is lost like any other and sent again.
            }
        }

        public async Task<byte[]> ReceiveAsync()
        {
            while (!_closed)
            {
                try
                {
                    return (await _socket.ReceiveAsync().ConfigureAwait(false)).Buffer;
                }
                catch (SocketException)
                {
                    // The answer of a machine where nobody listens yet.
                    await Task.Delay(50).ConfigureAwait(false);
                }
                catch (ObjectDisposedException)
                {
                    return null;
                }
            }
            return null;
        }

        public void Dispose()
        {
            _closed = true;
            _socket.Dispose();
        }
    }

    /// <summary>WebSocket: one binary frame per packet. For other machines, with a token.</summary>
    public sealed class WebSocketTransport : IUnisonTransport
    {
        const int MaxPacket = 65536;
        readonly ClientWebSocket _socket;
        readonly SemaphoreSlim _sending = new SemaphoreSlim(1);

        WebSocketTransport(ClientWebSocket socket)
        {
            _socket = socket;
        }

        /// <summary>Opens a line.</summary>
        /// <exception cref="WebSocketException">Nobody listens there, or the token is missing or wrong.</exception>
        public static async Task<WebSocketTransport> ConnectAsync(
            string host, int port, string token = null, CancellationToken cancellation = default(CancellationToken))
        {
            var socket = new ClientWebSocket();
            if (!string.IsNullOrEmpty(token)) socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
            await socket.ConnectAsync(new Uri($"ws://{host}:{port}/"), cancellation).ConfigureAwait(false);
            return new WebSocketTransport(socket);
        }

        public async Task SendAsync(byte[] packet)
        {
            // A WebSocket takes one frame at a time.
            await _sending.WaitAsync().ConfigureAwait(false);
            try
            {
                await _socket.SendAsync(new ArraySegment<byte>(packet), WebSocketMessageType.Binary, true,
                    CancellationToken.None).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }
        }

        public async Task<byte[]> ReceiveAsync()
        {
            var part = new byte[4096];
            while (true)
            {
                var packet = new MemoryStream();
                WebSocketReceiveResult got;
                try
                {
                    do
                    {
                        got = await _socket.ReceiveAsync(new ArraySegment<byte>(part), CancellationToken.None)
                            .ConfigureAwait(false);
                        packet.Write(part, 0, got.Count);
                    } while (!got.EndOfMessage && packet.Length <= MaxPacket);
                }
                catch (Exception error) when (error is WebSocketException || error is ObjectDisposedException
                    || error is OperationCanceledException || error is InvalidOperationException)
                {
                    return null;
                }
                if (got.MessageType == WebSocketMessageType.Close) return null;
                if (got.MessageType == WebSocketMessageType.Binary) return packet.ToArray();
            }
        }

        public void Dispose()
        {
            _socket.Abort();
            _socket.Dispose();
        }
    }
}
