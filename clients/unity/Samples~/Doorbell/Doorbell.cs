using Unison;
using UnityEngine;

/// <summary>Space makes a new sound and plays it, and return says a line. Put it on an object with a UnisonSound.</summary>
[RequireComponent(typeof(UnisonSound))]
public class Doorbell : MonoBehaviour
{
    UnisonSound _sound;

    void Start()
    {
        _sound = GetComponent<UnisonSound>();
        _sound.onFail.AddListener((code, message) => Debug.LogWarning("unison: " + code + ": " + message));
    }

    void Update()
    {
        if (Input.GetKeyDown(KeyCode.Space)) _sound.Make();
        if (Input.GetKeyDown(KeyCode.Return)) _sound.Say("Who is there?");
        if (Input.GetKeyDown(KeyCode.Escape)) _sound.Cancel();
    }
}
