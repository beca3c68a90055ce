"""Ridge least squares: the down projection is refitted to the dense block's output.

With activations ``z``, weight ``W`` and kept neurons ``k``, the refit minimises over the calibration tokens

    E |W z - V z_k|^2 + lambda |V - W_k|^2,   lambda = ridge * mean of diag E[z_k z_k^T],

whose solution is ``V = W_k + W_g C_gk (C_kk + lambda I)^-1`` with ``C = E[z z^T]`` and ``g`` the neurons that
go; it leaves ``<W_g C_gg, W_g> - <W_g C_gk, V - W_k> - lambda |V - W_k|^2``. The pull is towards the weights
as they are, not towards zero: an infinite ridge is no compensation. Where the projection has a bias, ``C`` is
the covariance and the bias takes up the difference of the means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pruning_ext.choices.compensations import COMPENSATIONS, Compensation, Refit

if TYPE_CHECKING:
    from torch import Tensor


def refit_down_projection(
    second_moment: Tensor,
    mean: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    keep: Tensor,
    *,
    ridge: float,
) -> Refit:
    """Ridge least squares in float64.

    Args:
        second_moment: ``[N, N]``, mean of ``z z^T``.
        mean: ``[N]``, mean of ``z``.
        weight: ``[H, N]``; bias: ``[H]`` or ``None``.
        keep: int64 ``[k]``.
        ridge: pull towards the old weights, relative to the mean variance of the kept neurons; positive.

    Raises:
        ValueError: the moments are too close to singular for this ``ridge``.
    """
    import torch

    weight, mean, second_moment = weight.double(), mean.double(), second_moment.double()
    gone = torch.ones(len(mean), dtype=torch.bool, device=keep.device)
    gone[keep] = False
    lost = gone.nonzero()[:, 0]
    moment = _Moment(second_moment, None if bias is None else mean)
    kept_weight, lost_weight = weight[:, keep], weight[:, lost]
    kept_moment = moment.part(keep, keep)
    # what the outputs of those that go have in common with the activations of those that stay
    common = lost_weight @ moment.part(lost, keep)
    loss = _dot(lost_weight @ moment.part(lost, lost), lost_weight)
    energy = _dot(kept_weight @ kept_moment, kept_weight) + 2 * _dot(common, kept_weight) + loss
    strength = ridge * kept_moment.diagonal().mean()
    if not strength > 0:  # the kept neurons are silent: there is nothing to fit
        strength = torch.ones_like(strength)
    kept_moment.diagonal().add_(strength)
    factor, failed = torch.linalg.cholesky_ex(kept_moment)
    if failed:
        raise ValueError(f"ridge is {ridge}: too small for the calibration's second moments; raise it")
    change = torch.cholesky_solve(common.T, factor).T
    left = loss - _dot(common, change) - strength * change.square().sum()
    new_bias = None
    if bias is not None:  # both figures count the means, which the new bias makes up for
        lost_mean = lost_weight @ mean[lost]
        kept_mean = kept_weight @ mean[keep]
        new_bias = bias.double() + lost_mean - change @ mean[keep]
        loss = loss + lost_mean.square().sum()
        energy = energy + (lost_mean + kept_mean).square().sum()
    scale = float(energy) if energy > 0 else 1.0  # silence loses nothing
    return Refit(kept_weight + change, new_bias, max(float(left), 0.0) / scale, max(float(loss), 0.0) / scale)


class _Moment(NamedTuple):
    """Second moments, or the covariance where there is a mean to take away."""

    second: Tensor
    mean: Tensor | None

    def part(self, rows: Tensor, columns: Tensor) -> Tensor:
        found = self.second[rows].index_select(1, columns)
        return found if self.mean is None else found.addr_(self.mean[rows], self.mean[columns], alpha=-1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return a.flatten().dot(b.flatten())


COMPENSATIONS.add(
    Compensation("ridge", "refit the down projection by ridge least squares", refit_down_projection)
)
