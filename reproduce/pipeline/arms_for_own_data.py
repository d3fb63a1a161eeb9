"""The main job on a user's own data set: the arms of the built-in one that is most like it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from data import own_npz
from data.dataset import Dataset
from data.files import InputError
from models.registry import MODELS
from reproduce.pipeline.profiles import PlannedArm, Profile
from reproduce.training import recipes

_STEP = 16  # sides of images are multiples of it: the networks halve them four times


def plan(profile: Profile, path: Path) -> tuple[str, Profile]:
    """A profile with a user's data set in it, and that data set's name there.

    Binary images get the arms of dSprites, others those of the faces, whose likelihoods fit them.
    InfoGAN and its like get a code for each factor, and images are averaged down as far as the
    arms' own are.
    Arms whose latents are tested by turned factors keep these only if the data set has them.

    Args:
        profile: With arms for `dsprites` and for `faces`.
        path: An .npz, as `own_npz.load` reads it.

    Raises:
        InputError: If the file is damaged, an image's side is no multiple of 16, or the profile
            has no arms for such images.
    """
    dataset = own_npz.load(path)
    height, width, channels = dataset.image_shape
    if height % _STEP or width % _STEP:
        raise InputError(
            f"{path}: images are {height} x {width}; expected sides that are multiples of {_STEP}: "
            "pad, crop or resize them"
        )
    like = "dsprites" if dataset.bits == 1 and channels == 1 else "faces"
    if like not in profile.arms:
        raise InputError(
            f"{path}: this profile has no models for images that are not binary; give another"
        )
    name = f"{path.stem}-own" if path.stem in (*profile.arms, "all") else path.stem
    arms = tuple(_fitted(arm, dataset) for arm in profile.arms[like])
    data_flags = {**profile.data_flags, name: ("--dataset=npz", f"--data_file={path}")}
    predictor = profile.predictor if len(dataset.factor_names) > 1 else ""  # else no purity
    return name, dataclasses.replace(
        profile, arms={name: arms}, data_flags=data_flags, predictor=predictor
    )


def _fitted(arm: PlannedArm, dataset: Dataset) -> PlannedArm:
    """An arm for a data set's factors and sizes."""
    changes = dict(arm.changes)
    counted = MODELS[arm.model].one_per_factor
    if counted:
        changes[counted] = str(max(2, len(dataset.factor_names)))  # one could not be rotated
    wanted = recipes.override(recipes.find(arm.model, arm.recipe), changes).image_size
    if wanted:
        changes["image_size"] = str(_height(dataset, wanted))
    known = set(arm.turned_factors) <= set(dataset.factor_names)
    return dataclasses.replace(
        arm, changes=changes, turned_factors=arm.turned_factors if known else ()
    )


def _height(dataset: Dataset, wanted: int) -> int:
    """The largest height up to the wanted one that images can be averaged down to, or theirs."""
    height, width, _ = dataset.image_shape
    sides = [
        (height // r, width // r) for r in range(1, height + 1) if not (height % r or width % r)
    ]
    possible = [h for h, w in sides if h <= wanted and not (h % _STEP or w % _STEP)]
    return max(possible, default=height)
