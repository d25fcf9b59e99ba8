# The migrations of a service: a one-off (batch) job, named <name>-migrate, that runs `node main.js migrate` from the
# service's own bundle. It runs again when the bundle's digest changes.
# Data: none; it changes the schema in the service's database.
# Secrets: every item of the Nomad Variable nomad/jobs/<name>-migrate, if there is one, becomes an environment variable.

variable "datacenter" {
  type        = string
  description = "Nomad datacenter of the stack."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "Nomad task driver. Attributes of other drivers go into `config` as null where they do not apply."
  validation {
    condition     = var.driver == "raw_exec"
    error_message = "Only the embedded substrate (driver raw_exec) exists so far."
  }
}

variable "setpriv" {
  type        = string
  default     = "/usr/bin/setpriv"
  description = "Absolute path of setpriv: it makes the kernel end a task whose executor has died."
}

variable "name" {
  type        = string
  description = "Name of the service."
}

variable "node" {
  type        = string
  description = "Absolute path of node."
}

variable "archive_url" {
  type        = string
  description = "URL of the service's bundle."
}

variable "digest" {
  type        = string
  description = "SHA-256 of that bundle in hexadecimal."
}

variable "environment" {
  type        = string
  default     = "{}"
  description = "Plain environment variables: a JSON object of strings."
}

variable "cpu" {
  type        = number
  default     = 50
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 80
  description = "Memory in MiB that is reserved."
}

variable "memory_max" {
  type        = number
  default     = 256
  description = "Memory in MiB: the limit, where Nomad may use cgroups (agent run by root)."
}

job "migrate" {
  id          = "${var.name}-migrate"
  name        = "${var.name}-migrate"
  type        = "batch"
  datacenters = [var.datacenter]

  ui {
    description = "Brings the schema of ${var.name} to what its bundle expects."
  }

  # It fails in the end, so that `pulumi up` says so.
  reschedule {
    attempts  = 0
    unlimited = false
  }

  group "migrate" {
    # Enough for a database that is still starting.
    restart {
      attempts = 20
      interval = "10m"
      delay    = "2s"
      mode     = "fail"
    }

    ephemeral_disk {
      size = 50
    }

    task "migrate" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "15s"

      artifact {
        source      = var.archive_url
        destination = "local"
        options {
          checksum = "sha256:${var.digest}"
        }
      }

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", var.node, "--enable-source-maps", "local/main.js", "migrate"]
      }

      env = merge(jsondecode(var.environment), {
        INSTANCE_ID = "${NOMAD_ALLOC_ID}"
      })

      template {
        destination = "secrets/migrate.env"
        perms       = "0600"
        env         = true
        change_mode = "restart"
        data        = <<-EOT
          {{ if nomadVarExists "nomad/jobs/${var.name}-migrate" }}{{ with nomadVar "nomad/jobs/${var.name}-migrate" }}
          {{- range .Tuples }}
          {{ .K }}={{ .V | toJSON }}
          {{- end }}
          {{ end }}{{ end }}
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu        = var.cpu
        memory     = var.memory
        memory_max = var.memory_max
      }
    }
  }
}
