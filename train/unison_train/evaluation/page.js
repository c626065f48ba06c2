// A spectrogram plays where it is clicked, with a line running over it; only one sound at a time.
let playing = null;
const stop = () => { if (playing) { playing.pause(); playing.parentElement.classList.remove("playing"); playing = null; } };
for (const figure of document.querySelectorAll("figure")) {
  const audio = figure.querySelector("audio"), button = figure.querySelector("button"), line = figure.querySelector("i");
  const run = () => {
    if (playing !== audio) return;
    line.style.left = `${100 * audio.currentTime / (audio.duration || 1)}%`;
    requestAnimationFrame(run);
  };
  button.addEventListener("click", () => {
    const again = playing === audio;
    stop();
    if (again) return;
    playing = audio;
    audio.currentTime = 0;
    figure.classList.add("playing");
    audio.play();
    run();
  });
  audio.addEventListener("ended", stop);
}
