"""The names of the rows of `make doctor`, as its column CHECK shows them."""

from enum import StrEnum


class Row(StrEnum):
    CREDENTIALS = "credentials"
    PROJECT = "project"
    API = "API"
    PERMISSIONS = "permissions"
    GKE_VERSION = "GKE version"
    CLUSTER = "cluster"
    MACHINE_TYPE = "machine type"
    ACCELERATOR = "accelerator"
    NETWORK_PROFILE = "network profile"
    RESERVATION = "reservation"
    QUOTA = "quota"
    SUBNETWORK = "subnetwork"
    SHARED_VPC = "Shared VPC"
    SERVICE_AGENTS = "service agents"
    SECRET = "secret"
    SECRET_VERSION = "secret version"
    SECRET_READER = "secret's readers"
    IMAGE = "image"
    TOKEN = "token"
    MODEL = "model"
    LICENCE = "licence"
