import Tensors

/// How much a reader is willing to hold (Spec: limits).
///
/// The format allows more. These bounds keep a small file from claiming much memory: parsed JSON takes up to a hundred
/// times its text, and a megabyte of zstd can hold gigabytes of zeros.
public struct PatchLimits: Sendable {
  /// The safetensors header, which holds the manifest; 32 MiB are some 50,000 facts.
  public var headerByteCount: Int
  /// The safetensors file that the patch decompresses to, whatever the size of the patch.
  public var contentByteCount: Int
  /// How many bytes of content a byte of the file may stand for, beyond the first 64 MiB. Factors are noise, which
  /// hardly compresses.
  public var expansion: Int
  public var signatureCount: Int
  public var signatureByteCount: Int
  /// The file itself: factors that cannot be compressed take a little more there than decompressed.
  var fileByteCount: Int {
    contentByteCount + contentByteCount / 64 + headerByteCount + signatureCount * signatureByteCount
  }
  /// The JSON values of the manifest: twelve for each of some 50,000 facts.
  static let manifestValueCount = 600_000

  public init(
    headerByteCount: Int = 32 << 20, contentByteCount: Int = 8 << 30, expansion: Int = 64, signatureCount: Int = 16,
    signatureByteCount: Int = 1 << 16
  ) {
    self.headerByteCount = headerByteCount
    self.contentByteCount = contentByteCount
    self.expansion = expansion
    self.signatureCount = signatureCount
    self.signatureByteCount = signatureByteCount
  }

  /// The largest content of a file of `byteCount` bytes.
  func contentByteCount(ofFile byteCount: Int) -> Int {
    let (expanded, overflow) = byteCount.multipliedReportingOverflow(by: expansion)
    return overflow ? contentByteCount : min(contentByteCount, (64 << 20) + expanded)
  }

  /// - Throws: an `ErrataError` that names what is over which limit.
  func check(headerByteCount count: Int, source: String) throws {
    guard count <= headerByteCount else {
      throw ErrataError.overLimit(source, "the size of the header", found: count, limit: headerByteCount)
    }
  }

  /// - Throws: an `ErrataError` that names what is over which limit.
  func check(contentByteCount count: Int, ofFile fileByteCount: Int, source: String) throws {
    let limit = contentByteCount(ofFile: fileByteCount)
    guard count <= limit else {
      throw ErrataError.overLimit(source, "the decompressed size", found: count, limit: limit)
    }
  }

  /// - Throws: an `ErrataError` that names what is over which limit.
  func check(signatures: [[UInt8]], source: String) throws {
    guard signatures.count <= signatureCount else {
      throw ErrataError.overLimit(source, "the number of signatures", found: signatures.count, limit: signatureCount)
    }
    for signature in signatures where signature.count > signatureByteCount {
      throw ErrataError.overLimit(
        source, "the size of a signature", found: signature.count, limit: signatureByteCount)
    }
  }
}
