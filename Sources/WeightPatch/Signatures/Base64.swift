import Foundation
import Tensors

/// Base64 (RFC 4648, section 4) with padding, without line breaks.
func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

/// Reads base64, or its form for URLs (section 5), with padding. Only what an encoder would write is read: the same
/// bytes have one text.
func decodeBase64(_ text: ByteString) -> [UInt8]? {
  let digits = text.bytes.map { byte -> UInt8 in
    switch byte {
    case UInt8(ascii: "-"): UInt8(ascii: "+")
    case UInt8(ascii: "_"): UInt8(ascii: "/")
    default: byte
    }
  }
  let isForURLs = text.bytes.contains { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
  let isMixed = isForURLs && text.bytes.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/") }
  guard !isMixed, let data = Data(base64Encoded: Data(digits)), data.base64EncodedData().elementsEqual(digits) else {
    return nil
  }
  return Array(data)
}
