import Foundation

extension Error {
  /// The `errno` value behind an error of Foundation's, which has called other functions since; EIO if there is none.
  public var systemCode: Int32 {
    let error = self as NSError
    if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
    return (error.userInfo[NSUnderlyingErrorKey] as? any Error)?.systemCode ?? EIO
  }
}

/// The operating system's words for an `errno` value, starting with a lower-case letter.
public func systemErrorText(_ code: Int32) -> String {
  let text = String(cString: strerror(code))
  return text.prefix(1).lowercased() + text.dropFirst()
}
