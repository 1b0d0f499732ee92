import Foundation

/// The operating system's words for an `errno` value, starting with a lower-case letter.
public func systemErrorText(_ code: Int32) -> String {
  let text = String(cString: strerror(code))
  return text.prefix(1).lowercased() + text.dropFirst()
}
