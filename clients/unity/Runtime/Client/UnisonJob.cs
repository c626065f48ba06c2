using System;
using System.Threading;
using System.Threading.Tasks;

namespace Unison
{
    /// <summary>A request that waits for its end.</summary>
    sealed class UnisonJob
    {
        readonly IProgress<UnisonProgress> _progress;
        TaskCompletionSource<bool> _bell = NewBell();

        public readonly TaskCompletionSource<UnisonTake> Ended =
            new TaskCompletionSource<UnisonTake>(TaskCreationOptions.RunContinuationsAsynchronously);
        /// <summary>Ends when the engine has told what it calls the job.</summary>
        public readonly TaskCompletionSource<string> Named =
            new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        public readonly int CancelRequest;
        public volatile string Id;

        public UnisonJob(IProgress<UnisonProgress> progress, int cancelRequest)
        {
            _progress = progress;
            CancelRequest = cancelRequest;
        }

        /// <summary>Ends when there is a reason not to wait for the next repetition.</summary>
        public Task Rung => Volatile.Read(ref _bell).Task;

        public void Ring()
        {
            Interlocked.Exchange(ref _bell, NewBell()).TrySetResult(true);
        }

        public void Name(string id)
        {
            if (Id != null) return; // Repeated, as the request was.
            Id = id;
            Named.TrySetResult(id);
            Ring(); // A cancel that waited for the job's name goes out.
        }

        public void Close()
        {
            Ended.TrySetException(new ObjectDisposedException(nameof(UnisonClient)));
        }

        public void Tell(OscPacket packet)
        {
            _progress?.Report(new UnisonProgress
            {
                Fraction = Convert.ToSingle(packet.Values[1]),
                Stage = (string)packet.Values[2],
                EtaSeconds = Convert.ToSingle(packet.Values[5]),
            });
        }

        static TaskCompletionSource<bool> NewBell()
        {
            return new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
