// Without concurrency checks: C's `stdout` is a variable.
@preconcurrency import Glibc
import Tensors

/// Standard output and standard error: like any other file they can be full, or closed.
enum StandardStreams {
  /// Takes the numbers of streams that are closed. The next file to be opened would get one, and what is printed would
  /// go into that file; so, printing fails as it does on a closed stream.
  static func occupyClosed() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one.
      _ = open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Brings what was printed to its destination.
  ///
  /// - Throws: an `ErrataError` if some of it could not be written, now or before.
  static func flushOutput() throws(ErrataError) {
    guard fflush(stdout) != 0 || ferror(stdout) != 0 else { return }
    // Whatever failed did so some time ago, and its reason is forgotten: ask again.
    let reason = write(STDOUT_FILENO, "\n", 1) < 0 ? systemErrorText(errno) : "an earlier write failed"
    throw ErrataError.answerNotWritten(reason)
  }

  /// Writes to standard error; if that cannot be, there is nobody to tell.
  static func writeError(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      bytes.removeFirst(count)
    }
  }
}
