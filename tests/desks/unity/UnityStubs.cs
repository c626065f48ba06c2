// Signatures of the Unity calls that the package uses, after Unity's scripting reference for 2021.3; they do nothing.
using System;
using System.Collections;

namespace UnityEngine
{
    public class Object
    {
        public string name { get; set; }
        public static bool operator ==(Object a, Object b) { return ReferenceEquals(a, b); }
        public static bool operator !=(Object a, Object b) { return !ReferenceEquals(a, b); }
        public override bool Equals(object other) { return ReferenceEquals(this, other); }
        public override int GetHashCode() { return 0; }
        public static void Destroy(Object obj) { }
    }
    public class ScriptableObject : Object { }
    public class Component : Object { public T GetComponent<T>() { return default(T); } }
    public class Behaviour : Component { }
    public class MonoBehaviour : Behaviour { public Coroutine StartCoroutine(IEnumerator routine) { return null; } }
    public class YieldInstruction { }
    public class AsyncOperation : YieldInstruction { }
    public sealed class Coroutine : YieldInstruction { }
    public sealed class AudioClip : Object
    {
        public delegate void PCMReaderCallback(float[] data);
        public delegate void PCMSetPositionCallback(int position);
        public static AudioClip Create(string name, int lengthSamples, int channels, int frequency, bool stream,
            PCMReaderCallback pcmreadercallback, PCMSetPositionCallback pcmsetpositioncallback) { return null; }
    }
    public sealed class AudioSource : Behaviour
    {
        public AudioClip clip { get; set; }
        public bool loop { get; set; }
        public int timeSamples { get; set; }
        public void Play() { }
        public void Stop() { }
    }
    public enum AudioType { WAV = 20 }
    public enum KeyCode { Return = 13, Escape = 27, Space = 32 }
    public class Input { public static bool GetKeyDown(KeyCode key) { return false; } }
    public class Debug { public static void LogWarning(object message) { } }
    public struct Rect { }
    public class GUILayoutOption { }
    public class GUILayout { public static bool Button(string text, params GUILayoutOption[] options) { return false; } }
    public class PropertyAttribute : Attribute { }
    public sealed class TextAreaAttribute : PropertyAttribute { }
    public class TooltipAttribute : PropertyAttribute { public TooltipAttribute(string tooltip) { } }
    public sealed class AddComponentMenu : Attribute { public AddComponentMenu(string menuName) { } }
    public sealed class RequireComponent : Attribute { public RequireComponent(Type requiredComponent) { } }
}

namespace UnityEngine.Events
{
    public delegate void UnityAction<T0, T1>(T0 arg0, T1 arg1);
    public class UnityEvent { public void Invoke() { } }
    public class UnityEvent<T0> { public void Invoke(T0 arg0) { } }
    public class UnityEvent<T0, T1>
    {
        public void Invoke(T0 arg0, T1 arg1) { }
        public void AddListener(UnityAction<T0, T1> call) { }
    }
}

namespace UnityEngine.Networking
{
    public class UnityWebRequestAsyncOperation : AsyncOperation { }
    public class UnityWebRequest : IDisposable
    {
        public enum Result { InProgress, Success, ConnectionError, ProtocolError, DataProcessingError }
        public Result result { get { return Result.Success; } }
        public string error { get { return null; } }
        public UnityWebRequestAsyncOperation SendWebRequest() { return null; }
        public void Dispose() { }
    }
    public static class UnityWebRequestMultimedia
    {
        public static UnityWebRequest GetAudioClip(string uri, AudioType audioType) { return null; }
    }
    public class DownloadHandlerAudioClip { public static AudioClip GetContent(UnityWebRequest www) { return null; } }
}

namespace UnityEditor
{
    using UnityEngine;

    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title) where T : EditorWindow { return null; }
        public void Repaint() { }
    }
    public sealed class MenuItem : Attribute { public MenuItem(string itemName) { } }
    public enum MessageType { None }
    public sealed class EditorGUI { public static void ProgressBar(Rect position, float value, string text) { } }
    public sealed class EditorGUILayout
    {
        public static string TextField(string label, string text, params GUILayoutOption[] options) { return text; }
        public static int IntField(string label, int value, params GUILayoutOption[] options) { return value; }
        public static float FloatField(string label, float value, params GUILayoutOption[] options) { return value; }
        public static void HelpBox(string message, MessageType type) { }
        public static Rect GetControlRect(params GUILayoutOption[] options) { return default(Rect); }
    }
    public class EditorGUIUtility { public static void PingObject(UnityEngine.Object obj) { } }
    public sealed class AssetDatabase
    {
        public static void ImportAsset(string path) { }
        public static T LoadAssetAtPath<T>(string assetPath) where T : UnityEngine.Object { return null; }
    }
}
