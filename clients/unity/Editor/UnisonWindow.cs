using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using UnityEditor;
using UnityEngine;

namespace Unison
{
    /// <summary>Makes a sound and puts it into Assets.</summary>
    public class UnisonWindow : EditorWindow
    {
        string _host = "127.0.0.1";
        int _port = 7770;
        string _prompt = "footsteps on gravel";
        float _seconds = 4f;
        int _seed = -1;
        string _folder = "Assets/Unison";
        string _told = "";
        float _fraction;
        CancellationTokenSource _cancelling;

        [MenuItem("Window/Audio/Unison")]
        static void Open()
        {
            GetWindow<UnisonWindow>("Unison");
        }

        void OnGUI()
        {
            _host = EditorGUILayout.TextField("Host", _host);
            _port = EditorGUILayout.IntField("Port", _port);
            _prompt = EditorGUILayout.TextField("Prompt", _prompt);
            _seconds = EditorGUILayout.FloatField("Seconds", _seconds);
            _seed = EditorGUILayout.IntField("Seed (-1 draws)", _seed);
            _folder = EditorGUILayout.TextField("Folder", _folder);
            if (_cancelling == null)
            {
                if (GUILayout.Button("Render into Assets")) Render();
            }
            else
            {
                if (GUILayout.Button("Cancel")) _cancelling.Cancel();
                EditorGUI.ProgressBar(EditorGUILayout.GetControlRect(), _fraction, _told);
            }
            EditorGUILayout.HelpBox(_told, MessageType.None);
        }

        async void Render()
        {
            var cancelling = _cancelling = new CancellationTokenSource();
            var pairs = new Dictionary<string, object>();
            if (_seed >= 0) pairs["seed"] = _seed;
            _told = "Waiting for " + _host + ":" + _port + "; is unison serve running?";
            _fraction = 0f;
            try
            {
                using (var client = UnisonClient.OverUdp(_host, _port))
                {
                    var progress = new Progress<UnisonProgress>(told =>
                    {
                        _fraction = told.Fraction;
                        _told = told.Stage;
                        Repaint();
                    });
                    var arguments = new object[] { _prompt, _seconds };
                    var take = await client.RunAsync("text_to_audio", arguments, pairs, progress, cancelling.Token);
                    Directory.CreateDirectory(_folder);
                    var asset = _folder + "/" + Path.GetFileName(take.Path);
                    File.Copy(take.Path, asset, true);
                    AssetDatabase.ImportAsset(asset);
                    EditorGUIUtility.PingObject(AssetDatabase.LoadAssetAtPath<AudioClip>(asset));
                    _told = asset + ", seed " + take.Seed;
                }
            }
            catch (UnisonException error)
            {
                _told = error.Code + ": " + error.Message;
            }
            catch (OperationCanceledException)
            {
                _told = "Cancelled.";
            }
            catch (IOException error)
            {
                _told = "The sound was made, but not copied: " + error.Message;
            }
            finally
            {
                _cancelling = null;
                cancelling.Dispose();
                Repaint();
            }
        }

        void OnDestroy()
        {
            _cancelling?.Cancel();
        }
    }
}
