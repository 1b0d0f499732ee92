import Foundation

extension CommandLine {
  /// The number (from 1) of the first argument that is not UTF-8; nil if all are. Swift would repair it silently, and a
  /// prompt would be another than the one that was given.
  public static var firstMalformedArgument: Int? {
    (1..<max(Int(argc), 1)).first { index in
      guard let argument = unsafeArgv[index] else { return false }
      return String(validatingCString: argument) == nil
    }
  }
}
