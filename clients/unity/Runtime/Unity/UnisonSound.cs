using System;
using System.Collections;
using System.Collections.Generic;
using System.Threading;
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
        public string host = "127.0.0.1";
        public int port = 7770;
        [TextArea] public string prompt = "a doorbell rings twice";
        public float seconds = 2f;
        [Tooltip("Same seed, same sound; -1 draws one.")]
        public int seed = -1;
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
                var take = await _client.RunAsync(task, arguments, pairs, progress, cancelling.Token);
                if (this == null) return; // The object was destroyed meanwhile.
                Take = take;
                StartCoroutine(Load(take));
            }
            catch (UnisonException error)
            {
                if (this != null) onFail.Invoke(error.Code, error.Message);
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

        IEnumerator Load(UnisonTake take)
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
                if (source != null)
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
