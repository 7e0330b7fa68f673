"""Django's settings, made from `trinco.config` alone: nothing here is edited by hand on an installation."""

from __future__ import annotations

import os
import secrets
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from trinco.config import load
from trinco.panel import files
from trinco.panel.databases import database

CONFIG: Final = load(os.environ)
"""The whole configuration, read once."""

_HERE = Path(__file__).resolve().parent
_API_LIBRARY = Path(str(distribution("django-ninja").locate_file("ninja")))
"""No app: each process would load all of it (0.2 s), and only those that answer HTTP need it."""
_URL = urlsplit(CONFIG.panel_url)
_SECURE = _URL.scheme == "https"
_LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]

# --- the data directory, and the secrets that are made once ---------------------------------------------------------

DATA: Final = CONFIG.data.absolute()
os.umask(0o077)  # the database, its journals and mails are the owner's alone; `files.publish` says what is not
files.private_directory(DATA)
STATIC_ROOT = DATA / "static"
STATIC_ROOT.mkdir(exist_ok=True)


def _secret(name: str, given: str) -> str:
    return given or files.made_once(DATA / "secrets" / name, lambda: secrets.token_hex(32))


SECRET_KEY = _secret("secret_key", CONFIG.secret_key)
SEAL_KEY: Final = _secret("seal_key", CONFIG.seal_key)
"""As it was at the start: `keyring.current` knows it as it is."""
_SEAL_KEY_HERE = None if CONFIG.seal_key else str(DATA / "secrets" / "seal_key")
SEAL_KEY_FILE: Final = os.environ.get("TRINCO_SEAL_KEY_FILE") or _SEAL_KEY_HERE
"""Where it is read again when it has changed; None: a setting says it."""

# --- what is installed ----------------------------------------------------------------------------------------------

DEBUG = False
ROOT_URLCONF = "trinco.panel.urls"
WSGI_APPLICATION = "trinco.panel.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "trinco.panel.web",  # first, so that its templates stand before allauth's
    "trinco.panel.accounts",
    "trinco.panel.webhooks",
    "trinco.panel.domains",
    "trinco.panel.policies",
    "trinco.panel.certificates",
    "trinco.panel.reports",
    "trinco.panel.checks",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "heroicons",
]
MIDDLEWARE = [
    "trinco.panel.health.HealthMiddleware",
    "trinco.panel.afterwards.AfterwardsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "trinco.panel.doors.HostMiddleware",
    "trinco.panel.web.csp.ContentSecurityPolicyMiddleware",
    "trinco.panel.mounts.MountMiddleware",
    "trinco.panel.api.heads.HeadMiddleware",
    "trinco.panel.api.problems.ProblemMiddleware",
    "trinco.panel.door_sessions.DoorSessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "trinco.panel.walled.WallMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "trinco.panel.accounts.browsers.SeenMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_API_LIBRARY / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "trinco.panel.web.context.page",
            ],
        },
    },
]

# --- tables, files, mails -------------------------------------------------------------------------------------------

DATABASES = {"default": database(CONFIG.database)}
CACHES = {
    "default": {"BACKEND": "trinco.panel.shared.SharedCache"},
    "here": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},  # this process's: costs no write
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [_API_LIBRARY / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "trinco.panel.static.StaticStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # every page asks by the names with a hash
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a bulk change names each domain in a field of its own


def _mail(url: str) -> dict[str, Any]:
    """Django's mail settings: a password is only ever sent over TLS; without a server, mails go into files."""
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend", "EMAIL_FILE_PATH": DATA / "mail"}
    parts = urlsplit(url)
    implicit = parts.scheme == "smtps"
    return {
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or (465 if implicit else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": implicit,
        "EMAIL_USE_TLS": not implicit and bool(parts.password),
        "EMAIL_TIMEOUT": 20,
    }


globals().update(_mail(CONFIG.mail_url))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = CONFIG.mail_from

LOGGING_CONFIG = "trinco.panel.logs.configure"
LOGGING = {"level": CONFIG.log}

# --- languages and time ---------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("pt-pt", _("Portuguese"))]  # `pt` alone would miss allauth's words
LOCALE_PATHS = [_HERE / "web" / "locale"]
LANGUAGE_COOKIE_NAME = "trinco_language"
LANGUAGE_COOKIE_AGE = 365 * 86400
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = _SECURE
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True

# --- people ---------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "trinco.panel.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_FORMS = {"signup": "trinco.panel.accounts.signing_up.SignUpForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none" if CONFIG.playground else "mandatory"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""  # the adapter writes the label's name
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _URL.scheme
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key,15/h/key,40/d/key"}  # the wait grows, and has an end
MFA_ADAPTER = "trinco.panel.accounts.adapters.MfaAdapter"
MFA_FORMS = {
    "authenticate": "trinco.panel.accounts.second_step.SecondStepForm",
    "activate_totp": "trinco.panel.accounts.second_step.FirstCodeForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _SECURE  # browsers allow passkeys on plain HTTP for localhost alone

# --- the browser ----------------------------------------------------------------------------------------------------

ALLOWED_HOSTS = [_URL.hostname or "", *(_LOOPBACK if CONFIG.playground else [])]
CSRF_TRUSTED_ORIGINS = [f"{_URL.scheme}://{_URL.netloc}"]
SESSION_ENGINE = "trinco.panel.door_sessions"
SESSION_COOKIE_NAME = "__Host-trinco_session" if _SECURE else "trinco_session"
CSRF_COOKIE_NAME = "__Host-trinco_csrf" if _SECURE else "trinco_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 86400
DEVICE_COOKIE_NAME = "__Host-trinco_device" if _SECURE else "trinco_device"
SECURE_HSTS_SECONDS = 365 * 86400 if _SECURE else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "manifest-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
"""Shaped like Django 6's setting of this name; `web.csp` sends it."""
