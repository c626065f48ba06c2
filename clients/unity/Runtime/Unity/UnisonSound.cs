using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using UnityEngine;
using UnityEngine.Events;
using UnityEngine.Networking;

namespace Unison
{
    [Serializable] public class UnisonProgressEvent : UnityEvent<float> { }
    [Serializable] public class UnisonClipEvent : UnityEvent<AudioClip> { }
    [Serializable] public class UnisonFailEvent : UnityEvent<string, string> { }

    /// <summary>Asks for a sound and plays it through the AudioSource of its object, if there is one.</summary>
    [AddComponentMenu("Audio/Unison Sound")]
    public class UnisonSound : MonoBehaviour
    {
        const float StartSeconds = 0.4f; // A little less than the first piece.
        const int SpareSeconds = 60;
        public string host = "127.0.0.1";
        public int port = 7770;
        [TextArea] public string prompt = "a doorbell rings twice";
        public float seconds = 2f;
        [Tooltip("Same seed, same sound; -1 draws one.")]
        public int seed = -1;
        [Tooltip("Play it while it is made, from its first half second on.")]
        public bool streamed;
        public AudioSource source;
        public UnisonProgressEvent onProgress = new UnisonProgressEvent();
        public UnisonClipEvent onReady = new UnisonClipEvent();
        [Tooltip("The code of the failure, and what to mend.")]
        public UnisonFailEvent onFail = new UnisonFailEvent();
        public UnityEvent onCancelled = new UnityEvent();

        UnisonClient _client;
        CancellationTokenSource _cancelling;

        /// <summary>What was made last.</summary>
        public UnisonTake Take { get; private set; }

        /// <summary>How often the streamed sound waited for what was not made yet, or had not come.</summary>
        public int Underruns { get; private set; }

        /// <summary>Asks for the sound of the prompt; can be wired to a button.</summary>
        public void Make()
        {
            Run("text_to_audio", prompt, seconds);
        }

        /// <summary>Has a line said by a "female" or "male" voice.</summary>
        public void Say(string text, string voice = "female")
        {
            Run("text_to_speech", text, voice);
        }

        /// <summary>Edits what was made last: "Add rain."</summary>
        public void Edit(string instruction)
        {
            if (Take == null) onFail.Invoke("unknown_asset", "there is nothing to edit yet; call Make first.");
            else Run("scene_edit", Take.Asset, instruction);
        }

        /// <summary>Cancels what is being made.</summary>
        public void Cancel()
        {
            _cancelling?.Cancel();
        }

        /// <summary>Runs any task with its fixed arguments. A request that still runs is cancelled.</summary>
        public async void Run(string task, params object[] arguments)
        {
            Cancel();
            var cancelling = _cancelling = new CancellationTokenSource();
            var pairs = new Dictionary<string, object>();
            if (seed >= 0) pairs["seed"] = seed;
            try
            {
                _client = _client ?? UnisonClient.OverUdp(host, port);
                // Unity continues after an await, and reports progress, on the main thread.
                var progress = new Progress<UnisonProgress>(told => onProgress.Invoke(told.Fraction));
                var playing = streamed && source != null;
                var take = playing
                    ? await StreamAsync(task, arguments, pairs, progress, cancelling.Token)
                    : await _client.RunAsync(task, arguments, pairs, progress, cancelling.Token);
                if (this == null) return; // The object was destroyed meanwhile.
                Take = take;
                StartCoroutine(Load(take, !playing));
            }
            catch (UnisonException error)
            {
                if (this != null) onFail.Invoke(error.Code, error.Message);
            }
            catch (IOException error)
            {
                if (this != null) onFail.Invoke("stream", error.Message);
            }
            catch (OperationCanceledException)
            {
                if (this != null) onCancelled.Invoke();
            }
            catch (ObjectDisposedException)
            {
                // The object went away, and its client with it.
            }
            finally
            {
                if (_cancelling == cancelling) _cancelling = null;
                cancelling.Dispose();
            }
        }

        async Task<UnisonTake> StreamAsync(
            string task, object[] arguments, Dictionary<string, object> pairs, IProgress<UnisonProgress> progress,
            CancellationToken cancellation)
        {
            using (var stream = await _client.StreamAsync(task, arguments, pairs, progress, cancellation))
            {
                var buffer = new UnisonStreamBuffer(stream.Rate, stream.Channels, stream.Frames);
                var filling = buffer.FillAsync(stream);
                if (this != null) StartCoroutine(Play(buffer));
                await filling;
                return await stream.Take;
            }
        }

        IEnumerator Play(UnisonStreamBuffer buffer)
        {
            var start = Math.Min(buffer.Frames, (int)(StartSeconds * buffer.Rate));
            while (buffer.Ready < start && !buffer.Broken) yield return null;
            if (buffer.Broken) yield break;
            // Where the sound has to wait it becomes longer.
            var clip = AudioClip.Create(
                "unison", buffer.Frames + SpareSeconds * buffer.Rate, buffer.Channels, buffer.Rate, true, buffer.Read, buffer.Seek);
            source.clip = clip;
            source.loop = false;
            source.Play();
            while (source.clip == clip && !buffer.Broken && !(buffer.EndFrame >= 0 && source.timeSamples >= buffer.EndFrame))
            {
                Underruns = buffer.Underruns;
                yield return null;
            }
            Underruns = buffer.Underruns;
            if (source.clip == clip)
            {
                source.Stop();
                source.clip = null;
            }
            Destroy(clip);
        }

        IEnumerator Load(UnisonTake take, bool play)
        {
            using (var request = UnityWebRequestMultimedia.GetAudioClip(new Uri(take.Path).AbsoluteUri, AudioType.WAV))
            {
                yield return request.SendWebRequest();
                if (request.result != UnityWebRequest.Result.Success)
                {
                    onFail.Invoke("file", request.error);
                    yield break;
                }
                var clip = DownloadHandlerAudioClip.GetContent(request);
                clip.name = take.Asset;
                if (play && source != null)
                {
                    source.clip = clip;
                    source.Play();
                }
                onReady.Invoke(clip);
            }
        }

        void Reset()
        {
            source = GetComponent<AudioSource>();
        }

        void OnDestroy()
        {
            Cancel();
            _client?.Dispose();
        }
    }
}
