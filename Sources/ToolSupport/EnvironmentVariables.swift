import Foundation
import Tensors

/// The environment variables with numbers or names. An empty one counts as not set.
enum EnvironmentVariables {
  /// The last second of the year 9999, after which ISO 8601 needs more digits.
  private static let lastSecond = 253_402_300_799

  /// - Throws: a usage error for a value that would be ignored.
  static func check() throws {
    // Read where the threads are (`Threads.count`).
    if let text = value("ERRATA_THREADS"), Int(text).map({ $0 < 1 }) ?? true {
      throw ErrataError.badEnvironment("ERRATA_THREADS", text, wanted: "a number of threads, 1 or more")
    }
    // Read where the kernels are (`errata_used_processor`).
    if let text = value("ERRATA_KERNELS"), !KernelSet.available.map(\.rawValue).contains(text) {
      let names = KernelSet.available.map(\.rawValue).joined(separator: ", ")
      throw ErrataError.badEnvironment("ERRATA_KERNELS", text, wanted: "an instruction set that is here (\(names))")
    }
    if let text = value("SOURCE_DATE_EPOCH"), sourceDate == nil {
      throw ErrataError.badEnvironment("SOURCE_DATE_EPOCH", text, wanted: "a number of seconds since 1970")
    }
  }

  /// What stands in for the present time; nil if nothing does.
  static var sourceDate: Date? {
    guard let seconds = value("SOURCE_DATE_EPOCH").flatMap(Int.init), (0...lastSecond).contains(seconds) else {
      return nil
    }
    return Date(timeIntervalSince1970: TimeInterval(seconds))
  }

  private static func value(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}
