import CZlib

/// Why bytes are not a deflate stream of the expected length.
struct InflateError: Error, Equatable {
  let reason: String
}

/// Decompresses a deflate stream (RFC 1951) with zlib.
///
/// - Parameters:
///   - bytes: the whole stream; bytes behind its end are an error.
///   - count: how many bytes it stands for; no more than one further is written.
/// - Throws: `InflateError`.
func inflate(_ bytes: UnsafeRawBufferPointer, count: Int) throws(InflateError) -> [UInt8] {
  var stream = z_stream()
  guard errata_inflate_init_raw(&stream) == Z_OK else { throw InflateError(reason: "no memory for zlib") }
  defer { inflateEnd(&stream) }
  // With room for one byte more, a stream that is too long shows.
  var output = [UInt8](repeating: 0, count: count + 1)
  var (read, written) = (0, 0)
  var status = Z_OK
  output.withUnsafeMutableBytes { output in
    repeat {
      // zlib counts in 32 bits.
      let input = min(bytes.count - read, 1 << 30)
      let room = min(output.count - written, 1 << 30)
      stream.next_in = UnsafeMutablePointer(
        mutating: bytes.baseAddress?.advanced(by: read).assumingMemoryBound(to: UInt8.self))
      stream.next_out = output.baseAddress!.advanced(by: written).assumingMemoryBound(to: UInt8.self)
      (stream.avail_in, stream.avail_out) = (uInt(input), uInt(room))
      status = CZlib.inflate(&stream, Z_NO_FLUSH)
      read += input - Int(stream.avail_in)
      written += room - Int(stream.avail_out)
    } while status == Z_OK && written <= count
  }
  if written > count { throw InflateError(reason: "it is longer than it says") }
  switch status {
  case Z_STREAM_END: break
  case Z_BUF_ERROR: throw InflateError(reason: "it ends early")
  default: throw InflateError(reason: stream.msg.map { String(cString: $0) } ?? "zlib's error \(status)")
  }
  guard written == count else { throw InflateError(reason: "it is shorter than it says") }
  guard read == bytes.count else { throw InflateError(reason: "bytes follow its end") }
  output.removeLast()
  return output
}
