"""The numbers of Tests/KnowledgeEditingTests/SolverMetricTests.swift: D = R (G + lambda I)^-1 U^T under every metric,
by numpy and from the definitions, with explicit inverses."""

import numpy as np


def numbers(rows, columns, seed):
  """Small integers over eight, the same in binary64 everywhere."""
  return np.array(
    [[((i * 37 + j * 61 + i * j * 11 + seed * 17) % 23 - 11) / 8 for j in range(columns)] for i in range(rows)]
  )


D_IN, D_OUT, FACTS, HELD = 6, 2, 2, 2
K, R, H = numbers(D_IN, FACTS, 1), numbers(D_OUT, FACTS, 2), numbers(D_IN, HELD, 3)
X = numbers(D_IN, 9, 4)
C = X @ X.T / 9 + np.eye(D_IN)
Q = np.linalg.qr(numbers(D_IN, 3, 5) ** 2)[0]
LAMBDA, MU = 0.5, np.array([0.25, 2])


def change(M):
  U = M @ K
  return R @ np.linalg.inv(K.T @ U + LAMBDA * np.eye(FACTS)) @ U.T


def held(M, mu):
  return M - M @ H @ np.linalg.inv(np.diag(mu) + H.T @ M @ H) @ H.T @ M


for name, M in {
  "secondMoments": np.linalg.inv(C),
  "held": np.linalg.inv(C + H @ np.diag(1 / MU) @ H.T),
  "heldExactly": held(np.linalg.inv(C), np.zeros(HELD)),
  "projection": Q @ Q.T,
  "heldProjection": held(Q @ Q.T, MU),
  "identity": np.eye(D_IN),
}.items():
  print(name, ", ".join(repr(float(value)) for value in change(M).ravel()))
print("basis", ", ".join(repr(float(value)) for value in Q.T.ravel()))
