import Foundation
import Tensors

/// Keys in files: private keys in PKCS #8, public keys in SubjectPublicKeyInfo, both in PEM, as OpenSSL makes them.
public enum KeyFile {
  /// Far more than any key.
  private static let largestFile = 1 << 16

  /// - Throws: an `ErrataError` if the file cannot be read, or is not an Ed25519 public key that proves something.
  public static func publicKey(path: String) throws -> PublicKey {
    let text = try text(of: path)
    do {
      return try PublicKey(pem: text)
    } catch {
      throw ErrataError.badKey(path, error.reason)
    }
  }

  /// - Throws: an `ErrataError` if the file cannot be read, or is not an Ed25519 private key without a passphrase.
  public static func privateKey(path: String) throws -> PrivateKey {
    let text = try text(of: path)
    do {
      return try PrivateKey(pem: text)
    } catch {
      throw ErrataError.badKey(path, error.reason)
    }
  }

  /// Whether others than the owner may read the file.
  public static func isOpenToOthers(path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & 0o077 != 0
  }

  private static func text(of path: String) throws -> String {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= largestFile else { throw ErrataError.badKey(path, "is not a key in PEM form") }
    return withExtendedLifetime(file) { String(decoding: file.bytes, as: UTF8.self) }
  }

  // MARK: Writing

  /// Writes a key pair: `path`, which only its owner can read, and `path.pub`. Neither may be there: a key that is
  /// overwritten is lost.
  ///
  /// - Returns: the path of the public key.
  /// - Throws: an `ErrataError`; then neither file is left behind.
  public static func write(_ key: PrivateKey, to path: String) throws -> String {
    let publicPath = path + ".pub"
    try writeNew(key.pem, to: path, mode: 0o600)
    do {
      try writeNew(key.publicKey.pem, to: publicPath, mode: 0o644)
    } catch {
      unlink(path)
      throw error
    }
    return publicPath
  }

  /// The file appears whole, or not at all; it replaces nothing.
  private static func writeNew(_ text: String, to path: String, mode: mode_t) throws {
    let folder = open(parentDirectory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw ErrataError.system("write", path, errno) }
    defer { close(folder) }
    let name = URL(fileURLWithPath: path).lastPathComponent
    let file = try AtomicFile(name: name, inDirectory: folder, path: path, mode: mode)
    try file.write(text.utf8)
    guard try file.commitNew() else { throw ErrataError.keyExists(path) }
  }
}
