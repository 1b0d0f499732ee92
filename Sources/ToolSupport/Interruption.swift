import Foundation
import Synchronization

/// Ctrl-C as a request: the work in hand is finished and kept, then the tool stops. A second Ctrl-C ends it at once.
public enum Interruption {
  private static let requested = Atomic<Bool>(false)

  /// From now on SIGINT and SIGTERM set `isRequested` instead of ending the process.
  public static func install() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        if Interruption.requested.exchange(true, ordering: .relaxed) {
          signal(number, SIG_DFL)
          raise(number)
        }
      }
    }
  }

  public static var isRequested: Bool { requested.load(ordering: .relaxed) }
}
